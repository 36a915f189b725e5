# SPDX-License-Identifier: MIT
"""What is installed: every program, its manual and its annotated example, and where."""
import fnmatch
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from harness import BUILD, ROOT
from wire import PATIENCE

MESON = shutil.which('meson')
PROGRAMS = {'bin/restante', 'sbin/restanted', 'sbin/restantectl'}
PAGES = {'share/man/man1/restante.1', 'share/man/man5/restante.conf.5',
         'share/man/man5/restanted.conf.5', 'share/man/man8/restanted.8',
         'share/man/man8/restantectl.8'}
EXAMPLES = {'share/restante/restante.conf', 'share/restante/restanted.conf',
            'share/restante/fail2ban/filter.d/restante.conf',
            'share/restante/fail2ban/jail.d/restante.conf', 'share/restante/pam/restante'}
COMPLETION = {'share/bash-completion/completions/restante', 'share/zsh/site-functions/_restante',
              'share/fish/vendor_completions.d/restante.fish'}
UNITS = {'lib/systemd/system/restanted.service', 'lib/systemd/system/restanted.socket',
         'lib/systemd/user/restante.service'}

pytestmark = pytest.mark.skipif(MESON is None, reason='no meson')


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope='module')
def installed(tmp_path_factory):
    """Prefix and all below DESTDIR, as a package's builder gets it."""
    top = tmp_path_factory.mktemp('destdir')
    run(MESON, 'install', '-C', BUILD, '--no-rebuild', '--destdir', str(top))
    options = json.loads(run(MESON, 'introspect', str(BUILD), '--buildoptions'))
    prefix = next(o['value'] for o in options if o['name'] == 'prefix')
    return top / prefix.lstrip('/')


def test_nothing_else_is_installed(installed):
    found = {str(p.relative_to(installed)) for p in installed.rglob('*') if not p.is_dir()}
    assert found == PROGRAMS | PAGES | EXAMPLES | COMPLETION | UNITS


def test_modes(installed):
    for path in installed.rglob('*'):
        want = 0o755 if path.is_dir() or path.parent.name in ('bin', 'sbin') else 0o644
        assert path.stat().st_mode & 0o7777 == want, path


@pytest.mark.parametrize('program', sorted(PROGRAMS))
def test_programs_run(installed, program):
    assert re.match(rf'{Path(program).name} (\(restante\) )?\d+\.\d+', run(installed / program, '--version'))
    assert 'usage: ' in run(installed / program, '--help')


@pytest.mark.parametrize('file', sorted(PAGES | EXAMPLES | UNITS))
def test_nothing_is_left_to_fill_in(installed, file):
    assert not re.search(r'@[A-Z]+@', (installed / file).read_text(encoding='utf-8'))


@pytest.mark.parametrize('prefix,etc', [('/usr', '/etc/restante'),
                                        ('/opt/post', '/opt/post/etc/restante')])
def test_prefix(tmp_path, prefix, etc):
    """Where the configuration is looked for, and where the manual says that it is."""
    env = {k: v for k, v in os.environ.items() if k not in ('CC', 'CFLAGS')}
    subprocess.run([MESON, 'setup', '--prefix', prefix, '-Dtests=false', str(tmp_path), str(ROOT)],
                   capture_output=True, timeout=PATIENCE, check=True, env=env)
    assert f'RESTANTE_SYSCONFDIR "{etc}"' in (tmp_path / 'restante-build.h').read_text('utf-8')
    assert f'{etc}/restanted.conf' in (tmp_path / 'man/restanted.8').read_text('utf-8')
    assert f'{etc}/users' in (tmp_path / 'packaging/restanted.conf').read_text('utf-8')
    plan = json.loads(run(MESON, 'introspect', str(tmp_path), '--installed'))
    assert f'{prefix}/sbin/restanted' in plan.values()


# ---- Debian's packages, without building them: make deb does that ----

def listed():
    """What the packages' lists name, below the prefix."""
    for path in sorted((ROOT / 'debian').glob('*.install')):
        for line in path.read_text().splitlines():
            name = line.split()[0]
            if name.startswith('usr/'):
                yield name.removeprefix('usr/')


def test_packages_have_all_that_is_installed(installed):
    patterns = list(listed())
    for path in installed.rglob('*'):
        name = str(path.relative_to(installed))
        assert path.is_dir() or any(fnmatch.fnmatch(name, p) or name.startswith(p + '/')
                                    for p in patterns), f'{name}: in no package'
    for pattern in patterns:
        assert list(installed.glob(pattern)), f'{pattern}: nothing is called so'


def test_packages_are_built_with_the_same_libraries():
    build = re.search(r"^build='(.*?)'", (ROOT / 'tools/install-deps').read_text(), re.M | re.S)[1]
    control = (ROOT / 'debian/control').read_text()
    wanted = {name for name in build.split() if name.endswith('-dev')}
    asked = set(re.findall(r'[a-z0-9.+-]+-dev\b', control.partition('\n\n')[0]))
    assert asked == wanted - {'libc6-dev', 'libcmocka-dev'}
