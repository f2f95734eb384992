"""What a reader with a script gets besides: the filter of the tree, and links that open what they lead to."""

from typing import Final

SCRIPT: Final = """\
(function () {
  'use strict';
  var tree = document.getElementById('tree');
  if (!tree) return;
  var get = function (id) { return document.getElementById(id); };
  var form = get('filter'), text = get('text'), cause = get('cause'), count = get('count');
  var rows = null, total = 0;

  // Each line with its whole path; a line comes after the one that it is below.
  function load() {
    var known = new Map();
    rows = Array.from(tree.querySelectorAll('li'), function (item) {
      var above = known.get(item.parentElement.closest('li'));
      var name = item.querySelector('code');
      var causes = item.hasAttribute('data-c') ? item.dataset.c.split(' ') : [];
      var row = {
        item: item, above: above, causes: causes, fold: item.querySelector(':scope > details'),
        path: (above ? above.path + (item.className ? ' › ' : '/') : '') + (name ? name.textContent : '')
      };
      row.text = row.path.toLowerCase();
      row.wasOpen = row.fold && row.fold.open;
      total += causes.length;
      known.set(item, row);
      return row;
    });
  }

  function apply() {
    if (!rows) load();
    var wanted = text.value.trim().toLowerCase(), number = cause.value, active = wanted || number, shown = 0;
    rows.forEach(function (row) { row.below = false; });
    for (var i = rows.length - 1; i >= 0; i--) {
      var row = rows[i], own = 0;
      if (!wanted || row.text.includes(wanted)) {
        own = row.causes.filter(function (one) { return !number || one === number; }).length;
      }
      shown += own;
      row.item.hidden = active && !own && !row.below;
      if (row.above && (own || row.below)) row.above.below = true;
    }
    rows.forEach(function (row) {
      if (row.fold) row.fold.open = active ? row.below && shown <= 500 : row.wasOpen;
    });
    count.textContent = (active ? shown.toLocaleString('en') + ' of ' : '') + total.toLocaleString('en') +
      (total === 1 ? ' difference' : ' differences');
  }

  function all(open) {
    tree.querySelectorAll('details').forEach(function (fold) { fold.open = open; });
  }

  function reveal() {
    var target = location.hash.length > 1 && get(location.hash.slice(1));
    if (!target || !tree.contains(target)) return;
    if (target.closest('[hidden]')) { text.value = cause.value = ''; apply(); }
    for (var fold = target; fold; fold = fold.parentElement) {
      if (fold.tagName === 'DETAILS') fold.open = true;
    }
    var own = target.querySelector(':scope > details');
    if (own) own.open = true;
    target.scrollIntoView({block: 'center'});
  }

  form.hidden = false;
  form.addEventListener('submit', function (event) { event.preventDefault(); });
  text.addEventListener('input', apply);
  cause.addEventListener('change', apply);
  get('open').addEventListener('click', function () { all(true); });
  get('close').addEventListener('click', function () { all(false); });
  addEventListener('hashchange', reveal);
  document.querySelectorAll('a[data-c]').forEach(function (link) {
    link.addEventListener('click', function () { text.value = ''; cause.value = link.dataset.c; apply(); });
  });
  apply();
  reveal();
})();
"""
