// What all parts of the page use to show things. Text is always text: nothing here reads HTML.

export const by = (id) => document.getElementById(id)

// el makes an element: el('p', {class: 'quiet', hidden: true, onclick: f}, 'text', child, ...).
export function el(tag, properties = {}, ...children) {
  const e = document.createElement(tag)
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith('on')) e.addEventListener(name.slice(2), value)
    else if (value === true) e.setAttribute(name, '')
    else if (value !== false && value != null) e.setAttribute(name, value)
  }
  e.append(...children.filter((c) => c != null && c !== ''))
  return e
}

// say tells a screen reader.
export const say = (text) => { by('news').textContent = text }

// problemBox shows what failed, why and what to do.
export const problemBox = (p) => el('div', {class: 'box problem'},
  el('p', {}, el('strong', {class: 'mono'}, p.code ?? 'Error'), p.status ? el('span', {class: 'quiet'}, ` HTTP ${p.status}`) : ''),
  el('p', {}, p.detail ?? p.message), p.cure ? el('p', {class: 'quiet'}, `What to do: ${p.cure}`) : '')

// copy puts text on the clipboard, also where the page is on plain http.
export async function copy(text, button) {
  const was = button.textContent
  try {
    await navigator.clipboard.writeText(text)
    button.textContent = 'Copied'
    say('Copied')
  } catch {
    button.textContent = 'Not allowed'
    say('The browser does not let this page copy')
  }
  setTimeout(() => { button.textContent = was }, 1500)
}

export function save(name, blob) {
  const url = URL.createObjectURL(blob)
  el('a', {href: url, download: name}).click()
  setTimeout(() => URL.revokeObjectURL(url), 60_000)
}

// dropping hands files that are dropped on an element to take.
export function dropping(element, take) {
  const over = (on) => (e) => {
    if (![...e.dataTransfer?.types ?? []].includes('Files')) return
    e.preventDefault()
    element.classList.toggle('over', on)
    if (e.type === 'drop') take([...e.dataTransfer.files])
  }
  element.addEventListener('dragover', over(true))
  element.addEventListener('dragleave', over(false))
  element.addEventListener('drop', over(false))
}

export const count = (n, one, many = one + 's') => `${n.toLocaleString('en')} ${n === 1 ? one : many}`

export function bytes(n) {
  for (const unit of ['bytes', 'KB', 'MB', 'GB']) {
    if (n < 1000 || unit === 'GB') return `${unit === 'bytes' ? n : n.toFixed(n < 10 ? 1 : 0)} ${n === 1 && unit === 'bytes' ? 'byte' : unit}`
    n /= 1000
  }
}
