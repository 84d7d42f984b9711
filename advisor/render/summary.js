"use strict";
// Sorts a table by the column whose head is pressed: numbers by data-value, largest first, unknown always last.
for (const table of document.querySelectorAll("table")) {
  const heads = [...table.tHead.rows[0].cells], body = table.tBodies[0];
  heads.forEach((head, column) => head.firstElementChild.addEventListener("click", () => {
    const first = column === 0 ? "ascending" : "descending";
    const now = head.getAttribute("aria-sort");
    const order = now === null ? first : now === "ascending" ? "descending" : "ascending";
    const sign = order === "ascending" ? 1 : -1;
    const value = (row) => {
      const cell = row.cells[column];
      return column === 0 ? cell.textContent : cell.dataset.value === undefined ? null : Number(cell.dataset.value);
    };
    const rows = [...body.rows].sort((one, other) => {
      const a = value(one), b = value(other);
      if (a === null || b === null) return (a === null) - (b === null);
      return sign * (column === 0 ? a.localeCompare(b) : a - b);
    });
    body.append(...rows);
    heads.forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", order);
  }));
}
