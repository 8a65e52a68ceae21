"use strict";
// Sorts and filters the table of columns. Without it the page lacks only that.
(() => {
  const table = document.getElementById("columns-table");
  const tools = document.getElementById("columns-tools");
  const status = document.getElementById("columns-status");
  const search = document.getElementById("columns-search");
  const gaps = document.getElementById("columns-gaps");
  const body = table.tBodies[0];
  const rows = Array.from(body.rows);
  const headers = Array.from(table.tHead.rows[0].cells);
  const words = new Intl.Collator(document.documentElement.lang, {numeric: true});

  // A cell's number if it has one; else its text. Null is no value.
  function key(row, k) {
    const cell = row.cells[k];
    if ("value" in cell.dataset) {
      return cell.dataset.value === "" ? null : Number(cell.dataset.value);
    }
    return cell.textContent.trim() || null;
  }

  function compare(a, b) {
    return typeof a === "number" ? a - b : words.compare(a, b);
  }

  function sort(k, sign) {
    const known = rows.filter((row) => key(row, k) !== null);
    const unknown = rows.filter((row) => key(row, k) === null);
    known.sort((a, b) => sign * compare(key(a, k), key(b, k)));
    body.append(...known, ...unknown);
  }

  headers.forEach((header, k) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    header.append(button);
    button.addEventListener("click", () => {
      const ascending = header.getAttribute("aria-sort") !== "ascending";
      headers.forEach((other) => other.removeAttribute("aria-sort"));
      header.setAttribute("aria-sort", ascending ? "ascending" : "descending");
      sort(k, ascending ? 1 : -1);
      status.textContent =
        `Sorted by ${button.textContent.trim()}, ` +
        (ascending ? "ascending." : "descending.");
    });
  });

  function filter() {
    const wanted = search.value.trim().toLowerCase();
    let shown = 0;
    for (const row of rows) {
      const name = (row.cells[0].title || row.cells[0].textContent).toLowerCase();
      const full = gaps.checked && row.dataset.missing === "0";
      row.hidden = full || !name.includes(wanted);
      shown += row.hidden ? 0 : 1;
    }
    status.textContent = `${shown} of ${rows.length} columns shown.`;
  }

  search.addEventListener("input", filter);
  gaps.addEventListener("change", filter);
  tools.hidden = false;
})();
