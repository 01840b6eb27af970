"use strict";
// Sorting: by data-order where a cell has one, else by its text; empty and failed cells always last.
for (const table of document.querySelectorAll("table.results")) {
  const headings = [...table.tHead.rows[0].cells];
  headings.forEach((heading, index) => heading.addEventListener("click", () => {
    const down = heading.getAttribute("aria-sort") === "ascending";
    headings.forEach((other) => other.removeAttribute("aria-sort"));
    heading.setAttribute("aria-sort", down ? "descending" : "ascending");
    const textual = heading.classList.contains("text");
    const key = (row) => {
      const cell = row.cells[index];
      if (!cell || cell.classList.contains("reason")) return null;
      if (textual) return cell.firstChild.nodeType === 3 ? cell.firstChild.data : cell.textContent;
      return cell.dataset.order === undefined ? null : Number(cell.dataset.order);
    };
    const rows = [...table.tBodies[0].rows].map((row) => [key(row), row]);
    rows.sort(([a], [b]) => {
      if (a === null || b === null) return (a === null) - (b === null);
      return (down ? -1 : 1) * (textual ? a.localeCompare(b) : a - b);
    });
    rows.forEach(([, row]) => table.tBodies[0].append(row));
  }));
}
