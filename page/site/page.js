// Begins the page: its settings, the service's address, and the tabs.
import {by, problemBox} from './dom.js'
import {service} from './service.js'
import {startSign} from './sign.js'
import {startUpload} from './upload.js'
import {startDoctor} from './doctor.js'

const load = async (name) => {
  const response = await fetch(name, {cache: 'no-cache'})
  if (!response.ok) throw new Error(`${name} is not there (HTTP ${response.status})`)
  return response.json()
}

function tabs() {
  const all = [...document.querySelectorAll('[role=tab]')]
  const select = (tab, focus) => {
    for (const t of all) {
      t.setAttribute('aria-selected', t === tab)
      t.tabIndex = t === tab ? 0 : -1
      by(t.getAttribute('aria-controls')).hidden = t !== tab
    }
    if (focus) tab.focus()
  }
  for (const tab of all) {
    tab.addEventListener('click', () => { select(tab); history.replaceState(null, '', '#' + tab.getAttribute('aria-controls')) })
    tab.addEventListener('keydown', (e) => {
      const shown = all.filter((t) => !t.hidden), at = shown.indexOf(tab)
      const to = {ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: -1}[e.key]
      if (to === undefined) return
      e.preventDefault()
      select(shown.at(to % shown.length), true)
    })
  }
  const wanted = all.find((t) => '#' + t.getAttribute('aria-controls') === location.hash && !t.hidden)
  if (wanted) select(wanted)
  return (name) => select(by('tab-' + name), true)
}

function address() {
  const show = () => {
    service.address = by('address').value.trim()
    service.token = by('token').value.trim()
    by('service-name').textContent = service.address || 'needs an address'
  }
  by('address').value = service.settings.service ? new URL(service.settings.service, location).href : ''
  by('address').addEventListener('input', show)
  by('token').addEventListener('input', show)
  show()
  by('service').open = !service.address
}

try {
  [service.settings, service.options] = await Promise.all([load('config.json'), load('options.json')])
  by('tab-doctor').hidden = !service.settings.doctor
  address()
  const show = tabs()
  const examine = startDoctor(show)
  startSign(service.settings.doctor ? examine : null)
  startUpload()
  document.documentElement.dataset.ready = 'true'
} catch (e) {
  by('main').prepend(problemBox({code: 'PageIncomplete', detail: e.message, cure: 'copy the whole folder of the page, and load it again.'}))
}
