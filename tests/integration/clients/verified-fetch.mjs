// Fetches URIs through one gateway alone with @helia/verified-fetch, which verifies every block.
//
//     node --input-type=module - GATEWAY PATIENCE_MS URI... < verified-fetch.mjs
//
// Prints a line of JSON for each URI: its status, bytes and SHA-256, or the error. Run it in the
// folder that holds node_modules.

import { createHash } from 'node:crypto'
import { withHTTP } from '@helia/http'
import { createVerifiedFetchWithHelia } from '@helia/verified-fetch'
import { createHeliaLight } from 'helia'

// A block that does not verify shows only as no answer: after `patience` it is given up.
const [gateway, patience, ...uris] = process.argv.slice(2)
const helia = await withHTTP(createHeliaLight(), {
  delegatedRouters: [gateway],
  recursiveGateways: [gateway],
  allowLocal: true,
  allowInsecure: true
}).start()
const verifiedFetch = await createVerifiedFetchWithHelia(helia)

async function fetchOne (uri) {
  // Without a timer of its own Node ends when nothing but an AbortSignal is waited for.
  const awake = setInterval(() => {}, 1000)
  try {
    const response = await verifiedFetch(uri, { signal: AbortSignal.timeout(Number(patience)) })
    const body = Buffer.from(await response.arrayBuffer())
    const sha256 = createHash('sha256').update(body).digest('hex')
    return { status: response.status, bytes: body.length, sha256 }
  } catch (error) {
    return { error: `${error.name}: ${error.message}` }
  } finally {
    clearInterval(awake)
  }
}

for (const uri of uris) {
  console.log(JSON.stringify(await fetchOne(uri)))
}
process.exit(0)
