"""What the model is used for besides filling: one study for each use.

Each study runs its cases one by one into a file of JSON lines, and renders them for its
page in docs/.
"""

from benchmarks.uses import (
    anomalies,
    coefficients,
    effort,
    generation,
    gpu,
    images,
    intervals,
    labels,
    large_tables,
    reduction,
    samples,
    self_masking,
    speed,
)

STUDIES = {
    study.name: study
    for study in (
        reduction.STUDY,
        generation.STUDY,
        anomalies.STUDY,
        labels.STUDY,
        images.STUDY,
        intervals.STUDY,
        coefficients.STUDY,
        self_masking.STUDY,
        speed.STUDY,
        gpu.STUDY,
        large_tables.STUDY,
        samples.STUDY,
        effort.STUDY,
    )
}
