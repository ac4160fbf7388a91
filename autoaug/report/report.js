const contents = document.querySelector("nav ol");
for (const heading of document.querySelectorAll("h2")) {
  const link = Object.assign(document.createElement("a"), {href: `#${heading.id}`, textContent: heading.firstChild.textContent});
  contents.appendChild(document.createElement("li")).append(link);
}
// A click on a column's title sorts a table without merged cells, again the other way round.
for (const table of document.querySelectorAll("table")) {
  if (table.querySelector("[rowspan]")) continue;
  const body = table.tBodies[0], titles = [...table.tHead.rows].at(-1).cells;
  const value = (row, place) => row.cells[place].textContent.trim();
  const number = text => /^−?[\d.,]+(\s\[.*)?$/.test(text) ? parseFloat(text.replaceAll(",", "").replace("−", "-")) : NaN;
  [...titles].forEach((title, place) => {
    title.tabIndex = 0;
    const sort = () => {
      const down = title.getAttribute("aria-sort") === "ascending";
      for (const other of titles) other.removeAttribute("aria-sort");
      title.setAttribute("aria-sort", down ? "descending" : "ascending");
      const rows = [...body.rows].sort((first, second) => {
        const [one, two] = [value(first, place), value(second, place)], difference = number(one) - number(two);
        return !one - !two || (down ? -1 : 1) * (Number.isNaN(difference) ? one.localeCompare(two) : difference);
      });
      body.append(...rows);
    };
    title.addEventListener("click", sort);
    title.addEventListener("keydown", event => { if (event.key === "Enter") sort(); });
  });
}
function markWide() {
  for (const box of document.querySelectorAll(".output_area > *")) box.classList.toggle("scrolls", box.scrollWidth > box.clientWidth + 1);
}
for (const event of ["resize", "load"]) addEventListener(event, markWide);
