// Signs keys and shows the answer: a table of which some hundred rows are in the page at a time, whatever there is.
import {bytes, by, copy, count, dropping, el, problemBox, save, say} from './dom.js'
import {parse, typed} from './lists.js'
import {send} from './s3.js'
import {service, sign, text} from './service.js'

const step = 200 // rows that are shown at a time
const long = 50_000 // characters that the text field is given at most: it is slow with more

let list = null // a list that is too long for the field: {text, name}
let request, answer, all = [], shown = step, timer
const clocks = new Map() // the cells that count down, of the rows that are in the page

const reads = {GetObject: 'Download (GET)', HeadObject: 'Look (HEAD)', PutObject: 'Upload (PUT)', DeleteObject: 'Delete (DELETE)'}

export function startSign(examine) {
  const known = [...new Set(Object.values(service.options).flatMap((o) => o.operations))]
  for (const o of service.settings.operations ?? known) {
    if (o !== 'PostObject' && o !== 'MultipartUpload') by('operation').append(el('option', {value: o}, reads[o] ?? o)) // those are for uploads
  }
  by('bucket').placeholder = service.settings.bucket ?? 'the only one'
  by('operation').addEventListener('change', suggest)
  suggest()
  by('add-option').addEventListener('click', () => addOption().querySelector('input').focus())
  by('keys').addEventListener('input', note)
  by('keys').addEventListener('paste', (e) => { // a browser takes minutes to paste ten thousand lines
    const text = e.clipboardData?.getData('text/plain') ?? ''
    if (text.length <= long) return
    e.preventDefault()
    list = {text, name: ''}
    note()
  })
  by('list-file').addEventListener('change', (e) => { take(e.target.files[0]); e.target.value = '' })
  dropping(by('sign-drop'), (files) => take(files[0]))
  by('list-away').addEventListener('click', () => { list = null; note(); by('keys').focus() })
  by('sign-form').addEventListener('submit', (e) => { e.preventDefault(); submit() })
  by('copy-all').addEventListener('click', (e) => copy(all.filter((r) => r.url).map((r) => r.url).join('\n') + '\n', e.target))
  for (const b of document.querySelectorAll('[data-format]')) b.addEventListener('click', () => download(b))
  by('filter').addEventListener('input', () => { shown = step; rows(examine) })
  by('only').addEventListener('change', () => { shown = step; rows(examine) })
  by('more').addEventListener('click', () => {
    const before = by('rows').children.length
    shown += step
    rows(examine)
    by('rows').children[before]?.querySelector('button, a')?.focus()
  })
  startSign.examine = examine
}

function suggest() {
  const operation = by('operation').value
  by('option-names').replaceChildren(...Object.entries(service.options)
    .filter(([name, o]) => o.operations.includes(operation) && !name.startsWith('grant_')).map(([name]) => el('option', {value: name})))
}

function addOption() {
  const row = el('div', {class: 'option'},
    el('input', {'aria-label': 'Name of an option', list: 'option-names', placeholder: 'name', spellcheck: 'false', autocapitalize: 'off', autocomplete: 'off'}),
    el('input', {'aria-label': 'Its value', placeholder: 'value', spellcheck: 'false', autocapitalize: 'off', autocomplete: 'off'}),
    el('button', {type: 'button', class: 'small', onclick: () => { row.remove(); by('add-option').focus() }}, 'Remove'))
  by('options').append(row)
  return row
}

async function take(file) {
  if (!file) return
  const text = await file.text()
  if (text.length <= long && /\.(txt|jsonl|ndjson|json)$/i.test(file.name)) {
    list = null
    by('keys').value = text
  } else list = {text, name: file.name}
  note()
  say(by('keys-note').textContent)
}

function note() {
  const field = by('keys'), where = by('keys-note')
  if (!list && field.value.length > long) { list = {text: field.value, name: ''}; field.value = '' }
  by('list-away').hidden = !list
  field.disabled = Boolean(list)
  try {
    const {items, form, bucket} = read()
    where.className = 'quiet'
    where.textContent = items.length === 0 ? 'A key a line, CSV or JSON Lines; or drop a file with them.'
      : `${count(items.length, 'key')}${list ? ` of ${list.name || 'what was pasted'}` : ''}${form === 'lines' ? '' : `, read as ${form}`}${bucket ? `, bucket ${bucket}` : ''}.`
  } catch (e) {
    where.className = 'bad'
    where.textContent = `${e.message}.`
  }
}

const read = () => parse(list ? list.text : by('keys').value, list?.name, service.options)

function options() {
  const given = {}
  for (const row of by('options').children) {
    const [name, value] = [...row.querySelectorAll('input')].map((i) => i.value)
    if (name.trim() !== '') given[name.trim()] = typed(name.trim(), value, service.options)
  }
  return given
}

async function submit() {
  const button = by('sign-form').querySelector('.first')
  by('sign-problem').replaceChildren()
  try {
    const prefix = by('prefix').value, {items, bucket} = prefix ? {} : read()
    if (!prefix && items.length === 0) throw {code: 'NoKeys', detail: 'there is no key to sign', cure: 'write one, a line each, or give a prefix.'}
    request = {
      operation: by('operation').value, expires_in: Number(by('expiry').value) * Number(by('unit').value), ...options(),
      ...(by('bucket').value.trim() || bucket) && {bucket: by('bucket').value.trim() || bucket}, ...prefix ? {prefix} : {keys: items},
    }
    button.disabled = true
    button.textContent = 'Signing ...'
    const signed = []
    answer = await sign(request, (some) => { for (const r of some) signed.push(r) })
    all = signed
    show()
  } catch (e) {
    by('answer').hidden = true
    by('sign-problem').replaceChildren(problemBox(e.code ? e : {code: 'List', detail: e.message}))
  } finally {
    button.disabled = false
    button.textContent = 'Sign'
  }
}

const bases = {
  signature: '',
  credentials: ' The credentials that signed end then, sooner than was asked for.',
  unknown: ' They may end sooner, with the credentials that signed: nobody knows when.',
}

function show() {
  const failed = all.filter((r) => r.error).length, warned = all.filter((r) => r.warning).length
  by('answer').hidden = false
  by('answer-title').textContent = `${count(all.length - failed, 'URL')} signed${failed ? `, ${count(failed, 'key')} not` : ''}`
  by('answer-note').textContent = `${answer.operation} in ${answer.bucket}, until ${new Date(answer.expires_at).toLocaleString()}.${bases[answer.expires_at_basis] ?? ''}`
  const headers = Object.entries(answer.headers ?? {})
  by('answer-headers').replaceChildren(...headers.length ? [el('div', {class: 'box told'}, el('p', {}, 'Send with each URL:'),
    ...headers.map(([name, value]) => el('p', {class: 'mono'}, `${name}: ${value}`)))] : [])
  for (const b of document.querySelectorAll('[data-format=aria2]')) b.hidden = answer.operation !== 'GetObject'
  by('filter').value = ''
  by('only').checked = false
  by('only').parentElement.hidden = failed + warned === 0
  shown = step
  rows(startSign.examine)
  clearInterval(timer)
  timer = setInterval(tick, 1000)
  tick()
  say(by('answer-title').textContent)
  by('answer-title').focus()
}

// until tells how long there is to a moment.
function until(ends) {
  const left = Math.max(0, Math.ceil((ends - Date.now()) / 1000)), hours = Math.floor(left / 3600)
  const pad = (n) => String(n).padStart(2, '0')
  return {left, text: `${hours ? `${hours}:` : ''}${hours ? pad(Math.floor(left / 60) % 60) : Math.floor(left / 60)}:${pad(left % 60)}`}
}

// tick counts down: all by the first to end, and each row that is in the page by its own.
function tick() {
  const {left, text} = until(Date.parse(answer.expires_at))
  const ended = left === 0
  by('left').textContent = ended ? 'Ended: sign again' : `${text} left`
  by('left-bar').value = left / answer.expires_in
  if (ended && !by('clock').classList.contains('ended')) say('The first URLs have ended')
  by('clock').classList.toggle('ended', ended)
  for (const [r, show] of clocks) show(until(r.ends))
  if (ended && all.every((r) => !r.url || r.ends <= Date.now())) clearInterval(timer)
}

function rows(examine) {
  const wanted = by('filter').value.toLowerCase(), only = by('only').checked
  clocks.clear()
  const matching = wanted || only ? all.filter((r) => (!only || r.error || r.warning) && r.key.toLowerCase().includes(wanted)) : all
  by('rows').replaceChildren(...matching.slice(0, shown).map((r) => row(r, examine)))
  const there = Math.min(shown, matching.length)
  by('caption').textContent = `${there < matching.length ? `The first ${there.toLocaleString('en')} of ` : ''}${count(matching.length, 'row')}${matching === all ? '' : ` that match, of ${all.length.toLocaleString('en')}`}.${there < matching.length ? ' Copies and downloads have them all.' : ''}`
  by('more').hidden = there === matching.length
  by('more').textContent = `Show ${Math.min(step, matching.length - there)} more`
}

// short is a URL without its secret.
function short(url) {
  const cut = url.indexOf('?')
  return url.slice(0, cut) + '?X-Amz-Algorithm=...'
}

function row(r, examine) {
  const told = el('p', {class: 'quiet', 'aria-live': 'polite'})
  const name = r.part ? `${r.key}, part ${r.part}` : r.key
  const tells = r.error ? [el('p', {class: 'bad'}, el('strong', {}, r.error.code), `: ${r.error.message}`)] : r.warning ? [el('p', {class: 'warn'}, el('strong', {}, 'Warning'), `: ${r.warning}`)] : []
  const uses = el('div', {class: 'uses'}), left = el('td', {class: 'left'}, r.url ? '' : '–')
  if (r.url) {
    let ended
    const anew = el('button', {type: 'button', class: 'small', hidden: true, 'aria-label': `Sign ${name} again`, onclick: () => again(r, told, examine)}, 'Sign again')
    const show = (u) => {
      if (left.textContent !== u.text && u.left > 0) left.textContent = u.text
      if (ended === (u.left === 0)) return
      ended = u.left === 0
      left.classList.toggle('bad', ended)
      if (ended) left.textContent = 'ended'
      anew.hidden = !ended
    }
    clocks.set(r, show)
    show(until(r.ends))
    uses.append(anew)
    uses.append(el('button', {type: 'button', class: 'small', 'aria-label': `Copy the URL of ${name}`, onclick: (e) => copy(r.url, e.target)}, 'Copy'))
    if (answer.operation === 'GetObject') uses.append(el('a', {class: 'button small', href: r.url, target: '_blank', rel: 'noreferrer', 'aria-label': `Open ${name} in a new tab`}, 'Open'))
    if (answer.operation === 'GetObject' || answer.operation === 'HeadObject') uses.append(el('button', {type: 'button', class: 'small', 'aria-label': `Test the URL of ${name}`, onclick: () => test(r, told, examine)}, 'Test'))
  }
  return el('tr', {}, el('th', {scope: 'row'}, el('bdi', {dir: 'ltr'}, name || '(empty)'), ...tells, told),
    el('td', {class: 'url mono'}, r.url ? el('span', {}, short(r.url)) : '–'), left, el('td', {}, uses))
}

// again signs one key anew, as it was asked for.
async function again(r, told, examine) {
  const {prefix, keys = [], ...rest} = request
  told.className = 'quiet'
  told.replaceChildren('Signing ...')
  try {
    const fresh = []
    await sign({...rest, bucket: answer.bucket, keys: [keys.find((i) => (i.key ?? i) === r.key) ?? r.key]}, (some) => fresh.push(...some))
    for (const other of all) { // of parts there are several
      const f = other.key === r.key && fresh.find((f) => f.part === other.part)
      if (f) Object.assign(other, {url: undefined, error: undefined}, f)
    }
    answer.expires_at = new Date(all.reduce((first, row) => row.url && row.ends < first ? row.ends : first, Infinity)).toISOString()
    clearInterval(timer)
    timer = setInterval(tick, 1000)
    rows(examine)
    tick()
    say(`${r.key} is signed again`)
    ;[...by('rows').querySelectorAll('button')].find((b) => b.getAttribute('aria-label').endsWith(` of ${r.key}`))?.focus()
  } catch (e) {
    told.className = 'bad'
    told.textContent = e.detail ? `The service says ${e.code}: ${e.detail}` : e.message
  }
}

// test uses a URL as a page can: its first byte, or its headers.
async function test(r, told, examine) {
  told.className = 'quiet'
  told.replaceChildren('Asking S3 ...')
  const method = answer.operation === 'HeadObject' ? 'HEAD' : 'GET'
  try {
    const got = await send({method, url: r.url, headers: {...r.headers, ...method === 'GET' && !r.headers?.range && {range: 'bytes=0-0'}}})
    const size = got.headers.get('content-range')?.split('/')[1] ?? (got.status === 200 ? got.headers.get('content-length') : null), type = got.headers.get('content-type')
    told.className = 'good'
    told.replaceChildren(`Works${size && size !== '*' ? `: ${bytes(Number(size))}` : ''}${type ? `, ${type}` : ''}`)
  } catch (e) {
    if (e.code === 'InvalidRange') { // an empty object has no first byte
      told.className = 'good'
      told.replaceChildren('Works: 0 bytes')
      return
    }
    told.className = 'bad'
    told.replaceChildren(e.message, ' ', examine ? el('button', {type: 'button', class: 'small', onclick: () => examine(r.url)}, 'Ask the doctor') : '')
  }
}

const quoted = (field) => /[",\r\n]|^\s|\s$/.test(field) ? `"${field.replaceAll('"', '""')}"` : field

// csv is the service's own format, of the URLs that are shown.
function csv() {
  const parts = all.some((r) => r.part), headers = all.some((r) => r.headers)
  const line = (...fields) => fields.filter((f) => f !== undefined).join(',') + '\r\n'
  return [line('key', parts ? 'part_number' : undefined, 'url', 'error', headers ? 'headers' : undefined),
    ...all.map((r) => line(quoted(r.key), parts ? r.part ?? '' : undefined, r.url ?? '', r.error?.code ?? '', headers ? r.headers && r.url ? quoted(JSON.stringify(r.headers)) : '' : undefined))]
}

// download writes CSV of the URLs that are there. Of aria2 and curl the service knows the names that files can have, so
// it is asked again.
async function download(button) {
  const format = button.dataset.format, was = button.textContent
  by('sign-problem').replaceChildren()
  try {
    button.disabled = true
    button.textContent = '...'
    const blob = format === 'csv' ? new Blob(csv(), {type: 'text/csv'}) : await text({...request, format})
    save({csv: 'urls.csv', aria2: 'urls.aria2', curl: 'urls.curl'}[format], blob)
    say(`The answer is saved as ${format}`)
  } catch (e) {
    by('sign-problem').replaceChildren(problemBox(e))
  } finally {
    button.disabled = false
    button.textContent = was
  }
}
