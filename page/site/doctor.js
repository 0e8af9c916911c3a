// Shows what the doctor finds. The examination itself is the command's (presign doctor), on the page's own host.
import {by, el, problemBox} from './dom.js'
import {service} from './service.js'

export function startDoctor(show) {
  by('doctor-form').addEventListener('submit', (e) => { e.preventDefault(); examine() })
  return (url) => {
    by('sick').value = url
    by('said').value = ''
    show('doctor')
    examine()
  }
}

async function examine() {
  by('doctor-problem').replaceChildren()
  by('report').replaceChildren()
  try {
    const response = await fetch(service.settings.doctor, {
      method: 'POST', headers: {'content-type': 'application/json'}, body: JSON.stringify({url: by('sick').value, response: by('said').value}),
    })
    if (!response.ok) throw new Error(await response.text())
    report(await response.json())
  } catch (e) {
    by('doctor-problem').replaceChildren(problemBox({code: 'NoAnswer', detail: e.message, cure: 'look whether the service still runs; presign doctor says the same in a terminal.'}))
  }
}

const kinds = {certain: 'bad', likely: 'warn', possible: 'quiet'}

function sentence(text) { return text.charAt(0).toUpperCase() + text.slice(1) + (text.endsWith('.') ? '' : '.') }

function report({facts, findings, response}) {
  const lines = response ?? []
  by('report').replaceChildren(
    el('section', {class: 'card'}, el('h3', {}, 'What may be wrong'), el('ol', {class: 'findings'}, ...findings.map((f) => el('li', {},
      el('h4', {}, el('span', {class: `badge ${kinds[f.likelihood]}`}, f.likelihood), sentence(f.what)), el('p', {}, sentence(f.cure)))))),
    facts?.length ? el('section', {class: 'card'}, el('h3', {}, 'What the URL says'), el('dl', {}, ...facts.flatMap((f) => [el('dt', {}, f.name), el('dd', {class: 'mono'}, f.value)]))) : '',
    lines.length ? el('section', {class: 'card'}, el('h3', {}, 'What S3 received, beside the URL'), el('div', {class: 'scroll', tabindex: 0, role: 'group', 'aria-label': 'The lines of the request'}, el('table', {},
      el('thead', {}, el('tr', {}, ...['Part', 'S3', 'URL'].map((t) => el('th', {scope: 'col'}, t)))),
      el('tbody', {}, ...lines.map((l) => el('tr', {}, el('th', {scope: 'row', class: l.same ? '' : 'bad'}, l.same ? l.part : `${l.part} differs`), el('td', {class: 'mono'}, l.s3), el('td', {class: 'mono'}, l.url))))))) : '')
  by('report').focus()
}
