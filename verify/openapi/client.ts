// A client in TypeScript, typed by openapi.yaml: what docs/openapi.md shows. Its argument is where the service is.
import { AwsClient } from 'aws4fetch'
import createClient from 'openapi-fetch'
import type { components, paths } from './api.js'

declare const process: { argv: string[] }

// The call is signed as a deployed service wants it; the local one does not look.
const aws = new AwsClient({ accessKeyId: 'localuser', secretAccessKey: 'localsecret', service: 'execute-api', region: 'eu-west-1' })
const service = createClient<paths, 'application/json'>({ baseUrl: process.argv[2], fetch: request => aws.fetch(request) })

function must(holds: unknown, what: string): asserts holds {
  if (!holds) throw new Error(what)
}

const { data } = await service.POST('/presign', { body: { keys: ['hello world.txt', '../x'], expires_in: 300 } })
must(data, 'no answer')
const url = data.urls?.['hello world.txt']
must(url, 'no URL')
must((await (await fetch(url)).text()).startsWith('Hello'), 'the URL leads elsewhere')
const code: components['schemas']['KeyCode'] | undefined = data.errors?.['../x']?.code
must(code === 'UnsafeKey', 'the unsafe key has no error')

const upload = await service.POST('/presign', {
  body: { operation: 'PutObject', content_type: 'text/plain', keys: [{ key: 'typed.txt', create_only: true }] },
})
must(upload.data?.urls, 'no URL to upload to')
const headers = upload.data.item_headers?.['typed.txt'] ?? upload.data.headers ?? {}
const put = await fetch(upload.data.urls['typed.txt']!, { method: 'PUT', body: 'typed', headers })
must(put.ok, `the upload was answered with ${put.status}`)

const refused = await service.POST('/presign', { body: { keys: [], expires_in: 300 } })
must(refused.error && 'code' in refused.error && refused.error.code === 'InvalidRequest', 'an empty batch was not refused')

// What is misspelt does not compile.
// @ts-expect-error
const misspelt: components['schemas']['Request'] = { keys: ['a.jpg'], expiresIn: 300 }
void misspelt

console.log('TypeScript: downloaded, uploaded, refused')
