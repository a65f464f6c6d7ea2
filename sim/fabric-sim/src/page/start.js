// Where the page begins.

$('head').innerHTML = headOf(DATA);
$('theme').addEventListener('click', () => {
  const root = document.documentElement, isDark = root.dataset.theme ? root.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
  root.dataset.theme = isDark ? 'light' : 'dark';
});
if (DATA.sweep) sweepPage(DATA); else runPage(DATA);
