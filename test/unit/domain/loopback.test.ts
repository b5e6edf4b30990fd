/** Which `Host` headers mean this machine and nothing that a stranger's DNS could point here (faults #151). */
import { describe, expect, it } from 'vitest';
import { isLoopbackHost } from '../../../src/domain/loopback.ts';

const NAMES = [
  'localhost',
  'LocalHost',
  'LOCALHOST',
  'app.localhost',
  'a.b-c.d_e.localhost',
  'APP.LocalHost',
  '1.localhost',
  // Browsers take the last dot for the root's, resolve both names by themselves, and send it on.
  'localhost.',
  'app.localhost.',
  '127.0.0.1',
  '127.0.0.0',
  '127.1.2.3',
  '127.255.255.255',
  '[::1]',
];

const STRANGERS = [
  'evil.example',
  'localhost.evil.example',
  'localhost.example',
  '127.0.0.1.evil.example',
  '127.0.0.1.nip.io',
  'evil-localhost',
  'evillocalhost',
  'localhost-evil',
  'localhost1',
  'xn--localhost',
  'localhos',
  'loc\u0430lhost',
  'ⓛocalhost',
  // What no browser sends.
  '.localhost',
  'a..localhost',
  'localhost..',
  '.',
  '*.localhost',
  '*',
  'a b.localhost',
  'user@localhost',
  'localhost@evil.example',
  'localhost#@evil.example',
  'localhost/evil.example',
  'localhost?',
  'http://localhost',
  'localhost%00',
  'localhost, localhost',
  'localhost,evil.example',
  'evil.example, localhost',
  'local\thost',
  'localhost\n',
  '\nlocalhost',
  ' localhost',
  'localhost ',
  // Addresses in other forms, of other machines, and of all machines.
  '127.0.0.1.',
  '127.0.0',
  '127.1',
  '127',
  '2130706433',
  '0x7f000001',
  '0x7f.0.0.1',
  '0177.0.0.1',
  '127.0.0.01',
  '127.000.000.001',
  '127.0.0.256',
  '127.0.0.1.1',
  '127.0.0.-1',
  '127.0..1',
  '128.0.0.1',
  '126.255.255.255',
  '1270.0.1.1',
  '0.0.0.0',
  '10.0.0.1',
  '192.168.0.1',
  '169.254.169.254',
  '::1',
  '[::]',
  '[::2]',
  '[::1',
  '::1]',
  '[]',
  '[[::1]]',
  '[::1].localhost.example',
  '[::1%lo]',
  '[::ffff:127.0.0.1]',
  '[::ffff:7f00:1]',
  '[localhost]',
  '[127.0.0.1]',
];

describe('a Host header that means this machine', () => {
  it.each(NAMES)('#151 %s, with any port', (host) => {
    for (const port of ['', ':0', ':80', ':8787', ':65535'])
      expect([port, isLoopbackHost(host + port)]).toEqual([port, true]);
  });
});

describe('a Host header that does not, or says nothing plainly', () => {
  it.each(STRANGERS)('#151 %j, with any port', (host) => {
    for (const port of ['', ':80', ':8787'])
      expect([port, isLoopbackHost(host + port)]).toEqual([port, false]);
  });
  it('#151 none, an empty one, and one with nothing but a port', () => {
    for (const host of [undefined, '', ' ', ':', ':80', ':8787']) expect(isLoopbackHost(host)).toBe(false);
  });
  it.each([
    ':',
    ':65536',
    ':99999',
    ':123456',
    ':-1',
    ':+80',
    ':0x50',
    ':80:80',
    ':80 ',
    ': 80',
    ':http',
    ':８０',
  ])('#151 localhost with the odd port %j', (port) => {
    for (const host of ['localhost', '127.0.0.1', '[::1]']) expect(isLoopbackHost(host + port)).toBe(false);
  });
  it('#151 16 KiB of nearly the right thing costs under 50 ms', () => {
    const startedAt = performance.now();
    for (const part of ['a.', 'localhost.', '127.', ':1', '[', '1', 'a']) {
      expect(isLoopbackHost(`${part.repeat(16_384 / part.length)}!`)).toBe(false);
    }
    expect(performance.now() - startedAt).toBeLessThan(50);
  });
});
