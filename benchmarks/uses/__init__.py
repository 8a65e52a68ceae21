"""What the model is used for besides filling: one study for each use.

Each study runs its cases one by one into a file of JSON lines, and renders them for
docs/uses.md.
"""

from benchmarks.uses import anomalies, generation, images, labels, reduction

STUDIES = {
    study.name: study
    for study in (
        reduction.STUDY,
        generation.STUDY,
        anomalies.STUDY,
        labels.STUDY,
        images.STUDY,
    )
}
