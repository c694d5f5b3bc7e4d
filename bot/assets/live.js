// Keeps a page up to date. The server renders; this fetches the page again when something happened and
// swaps the parts marked data-live, and appends log output. No page needs it to be readable.
(() => {
  'use strict';
  const REFRESH_MS = 300;
  const LOG_CHARS = 200000;
  const address = document.body.dataset.events;
  if (!address || !window.EventSource) return;
  const live = document.getElementById('live');
  live.hidden = false;

  let timer = null;
  const refresh = async () => {
    timer = null;
    const answer = await fetch(location.pathname, {cache: 'no-store'}).catch(() => null);
    if (!answer || !answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
    for (const part of document.querySelectorAll('[data-live]')) {
      const fresh = page.getElementById(part.id);
      if (!fresh) continue;
      for (const open of part.querySelectorAll('details[open]')) {
        const same = fresh.querySelector('#' + CSS.escape(open.id));
        if (same) same.open = true;
      }
      part.replaceWith(fresh);
    }
  };
  const soon = () => { timer = timer || setTimeout(refresh, REFRESH_MS); };

  const panel = document.getElementById('log-panel');
  const log = document.getElementById('log');
  const appendLog = (event) => {
    const {step, text} = JSON.parse(event.data);
    if (!panel || !log) return;
    panel.hidden = false;
    if (log.dataset.step !== String(step)) {
      log.dataset.step = String(step);
      log.textContent = '';
      const row = document.querySelector('#step-' + step + ' td');
      document.getElementById('log-name').textContent = row ? row.textContent.trim() : '';
    }
    const follow = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
    log.append(text);
    while (log.textContent.length > LOG_CHARS && log.childNodes.length > 1) log.firstChild.remove();
    if (follow) log.scrollTop = log.scrollHeight;
  };

  const source = new EventSource(address);
  source.addEventListener('open', () => live.classList.add('on'));
  source.addEventListener('error', () => live.classList.remove('on'));
  source.addEventListener('timeline', soon);
  source.addEventListener('changed', soon);
  source.addEventListener('log', appendLog);
})();
