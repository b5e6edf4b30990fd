/**
 * The ceiling: `node:http` that answers everything with one constant, headers and body. Nothing is looked at.
 * `PORT`, and `ANSWER` as JSON: `{status, headers: [name, value, …], body}`.
 */
import { createServer } from 'node:http';

const { status, headers, body } = JSON.parse(process.env.ANSWER ?? '') as {
  status: number;
  headers: string[];
  body: string;
};
const named: Record<string, string> = {};
for (let index = 0; index < headers.length; index += 2) named[headers[index]!] = headers[index + 1]!;

const server = createServer({ keepAliveTimeout: 65_000 }, (_request, response) => {
  response.writeHead(status, named).end(body);
});
server.listen(Number(process.env.PORT), '127.0.0.1');
