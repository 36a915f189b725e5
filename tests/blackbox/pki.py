# SPDX-License-Identifier: MIT
"""An authority that issues certificates, made with openssl as an operator would."""
import datetime
import subprocess
from collections import namedtuple
from pathlib import Path

Pair = namedtuple('Pair', 'certificate key')

KEYS = {'rsa': ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048'],
        'rsa:1024': ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:1024'],
        'ec': ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:prime256v1'],
        'ec:secp521r1': ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:secp521r1'],
        'ed25519': ['-algorithm', 'ED25519']}


def openssl(*args, **more):
    return subprocess.run(['openssl', *map(str, args)], check=True, capture_output=True, **more)


def stamp(days):
    now = datetime.datetime.now(datetime.timezone.utc)
    return (now + datetime.timedelta(days=days)).strftime('%Y%m%d%H%M%SZ')


class Authority:
    """Its files are in dir: ca.pem, ca.key, and NAME.pem (with the authority's) and NAME.key of each
    certificate."""

    def __init__(self, dir_):
        self.dir = Path(dir_)
        self.certificate, self.key = self.dir / 'ca.pem', self.dir / 'ca.key'
        (self.dir / 'serial').write_text('01\n', encoding='ascii')
        (self.dir / 'index.txt').touch()
        (self.dir / 'ca.conf').write_text(f'''
[ca]
default_ca = it
[it]
database = {self.dir}/index.txt
serial = {self.dir}/serial
new_certs_dir = {self.dir}
certificate = {self.certificate}
private_key = {self.key}
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
''', encoding='ascii')
        openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1',
                '-nodes', '-days', '9', '-subj', '/CN=the authority',
                '-addext', 'keyUsage=keyCertSign,cRLSign,digitalSignature',
                '-keyout', self.key, '-out', self.certificate)

    def issue(self, name, kind, *names, from_days=-1, until_days=9, extensions=''):
        """A new key of this kind and its certificate, for these DNS names, or addresses as "IP:192.0.2.1"; CN is
        name."""
        pair = Pair(self.dir / f'{name}.pem', self.dir / f'{name}.key')
        openssl('genpkey', *KEYS[kind], '-out', pair.key)
        self.certify(name, pair, names, from_days, until_days, extensions)
        return pair

    def certify(self, name, pair, names, from_days=-1, until_days=9, extensions=''):
        """A certificate for a key that is there."""
        request, extra = self.dir / f'{name}.req', self.dir / f'{name}.ext'
        alternative = ','.join(n if n.startswith('IP:') else f'DNS:{n}' for n in names)
        extra.write_text(f'subjectAltName = {alternative}\n{extensions}\n', encoding='ascii')
        openssl('req', '-new', '-key', pair.key, '-subj', f'/CN={name}', '-out', request)
        openssl('ca', '-batch', '-notext', '-config', self.dir / 'ca.conf',
                '-in', request, '-extfile', extra, '-startdate', stamp(from_days),
                '-enddate', stamp(until_days), '-out', pair.certificate)
        with open(pair.certificate, 'a', encoding='ascii') as f:
            f.write(self.certificate.read_text(encoding='ascii'))

    def answer(self, pair, path, *options):
        """What the authority says of a certificate (OCSP), into a file."""
        openssl('ocsp', '-index', self.dir / 'index.txt', '-CA', self.certificate,
                '-rsigner', self.certificate, '-rkey', self.key, '-issuer', self.certificate,
                '-cert', pair.certificate, '-respout', path, '-noverify',
                *(options or ('-ndays', '2')))

    def revoke(self, pair):
        openssl('ca', '-config', self.dir / 'ca.conf', '-revoke', pair.certificate)
