// What can be scrolled is reached by keyboard, also in browsers that do not see to that themselves.
{
  const sizes = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      if (target.scrollWidth > target.clientWidth) target.setAttribute("tabindex", "0");
      else target.removeAttribute("tabindex");
    }
  });
  for (const area of document.querySelectorAll("main pre > code, main .table-wrapper")) sizes.observe(area);
}
