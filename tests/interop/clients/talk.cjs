// What every Node client here answers: a line of JSON for each line of JSON that it is asked.
const readline = require('node:readline')
const { createRequire } = require('node:module')

exports.settings = JSON.parse(process.argv[2])
// The clients lie in a folder of their own, not beside these files.
exports.installed = createRequire(`${process.cwd()}/package.json`)

const say = (what) => process.stdout.write(`${JSON.stringify(what)}\n`)

// `ask(flag)` says whether the client finds the flag on for the tenant that `become(tenant)` made it.
exports.serve = async (become, ask) => {
  say({ ready: true })
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const question = JSON.parse(line)
    if (question.do === 'answers') {
      const answers = Object.fromEntries(question.flags.map((flag) => [flag, []]))
      for (const tenant of question.tenants) {
        await become(tenant)
        for (const flag of question.flags) answers[flag].push(await ask(flag))
      }
      say({ answers })
    } else if (question.do === 'until_off') {
      await become(question.tenant)
      say({ on: await ask(question.flag) })
      while (await ask(question.flag)) await new Promise((resolve) => setTimeout(resolve, 1))
      say({ off_at: Date.now() / 1000 })
    }
  }
  process.exit(0)
}
