// Where a closed <details> cannot be shown by CSS, wide windows get it open.
if (!CSS.supports("selector(details::details-content)") && matchMedia("(min-width: 50rem)").matches) {
  for (const filters of document.querySelectorAll("details.filters")) filters.open = true;
}
