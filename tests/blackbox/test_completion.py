# SPDX-License-Identifier: MIT
"""Completion, in the shells themselves."""
import shutil
import subprocess

import pytest

from harness import BUILD, ROOT
from wire import PATIENCE

SCRIPTS = ROOT / 'packaging/completion'
ACCOUNTS = 'account work {\n}\naccount "my home" {\n}\n  account private{\n}\n'


@pytest.fixture(scope='module')
def home(tmp_path_factory):
    """A home with a configuration, and restante in the PATH."""
    top = tmp_path_factory.mktemp('home')
    conf = top / '.config/restante/restante.conf'
    conf.parent.mkdir(parents=True)
    conf.write_text(ACCOUNTS)
    (top / 'a.pem').write_text('')
    (top / 'folder').mkdir()
    return top


def shell(home, *command):
    path = f'{BUILD / "src/client"}:/usr/bin:/bin'
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False, cwd=home,
                          env={'PATH': path, 'HOME': str(home), 'TERM': 'dumb', 'LC_ALL': 'C.UTF-8'})


def bash(home, line):
    words = line.split(' ')
    script = '. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _restante; printf "%s\\n" "${COMPREPLY[@]}"'
    done = shell(home, 'bash', '--norc', '-c', script, 'bash', str(SCRIPTS / 'restante.bash'), *words)
    assert done.stderr == ''
    return done.stdout.split()


def fish(home, line):
    done = shell(home, 'fish', '--no-config', '-c', f'source {SCRIPTS}/restante.fish; complete -C"{line}"')
    assert done.stderr == ''
    return [row.split('\t')[0] for row in done.stdout.splitlines()]


def zsh(home, *lines):
    """Lines as they are after the Tab key was pressed in a terminal."""
    (home / 'zshrc').write_text(f'''
PS1=
fpath=({SCRIPTS} $fpath)
autoload -Uz compinit
compinit -u -D
zstyle ':completion:*' menu no
tell() {{ print -r -- "= $BUFFER" >>{home}/zsh.out; BUFFER= }}
zle -N tell
bindkey '^T' tell '^I' expand-or-complete
print ready >>{home}/zsh.out
''')
    typed = ''.join(line + '\\x09\\x14' for line in lines)
    script = f'''
zmodload zsh/zpty
zpty z zsh -f -i
zpty -w z 'source {home}/zshrc'
until grep -q ready {home}/zsh.out 2>/dev/null; do sleep 0.05; zpty -r -t z ignored; done
zpty -w -n z $'{typed}'
until (( $(grep -c '^=' {home}/zsh.out) == {len(lines)} )); do sleep 0.05; zpty -r -t z ignored; done
zpty -d z
'''
    done = shell(home, 'zsh', '-f', '-c', script)
    assert done.returncode == 0, done.stderr
    return [row[2:].strip() for row in (home / 'zsh.out').read_text().splitlines() if row.startswith('= ')]


@pytest.mark.parametrize('complete', [bash, fish])
def test_completion(home, complete):
    if shutil.which(complete.__name__) is None:
        pytest.skip(f'no {complete.__name__}')
    assert {'fetch', 'watch', 'list', 'show'} <= set(complete(home, 'restante '))
    assert complete(home, 'restante fe') == ['fetch']
    assert set(complete(home, 'restante fetch ')) >= {'work', 'private'}
    assert 'work' not in complete(home, 'restante show ')
    assert {'--maildir', '--keep'} <= {o.rstrip('=') for o in complete(home, 'restante fetch --')}
    assert '--raw' not in complete(home, 'restante fetch --')
    assert set(complete(home, 'restante fetch --tls ')) == {'implicit', 'stls', 'send-passwords-in-clear'}
    assert [f.rstrip('/') for f in complete(home, 'restante fetch --cafile a')] == ['a.pem']
    assert [f.rstrip('/') for f in complete(home, 'restante fetch --maildir fo')] == ['folder']


def test_accounts_of_another_file(home):
    (home / 'other.conf').write_text('account elsewhere {\n}\n')
    assert bash(home, 'restante fetch -c other.conf ') == ['elsewhere']


@pytest.mark.skipif(shutil.which('zsh') is None, reason='no zsh')
def test_zsh(home):
    typed = ['restante fe', 'restante fetch wo', 'restante fetch --tls im', 'restante fetch --cafile a',
             'restante fetch --mail', 'restante show --ra', 'restante fetch --ra']
    assert zsh(home, *typed) == [
        'restante fetch', 'restante fetch work', 'restante fetch --tls implicit', 'restante fetch --cafile a.pem',
        'restante fetch --maildir=', 'restante show --raw', 'restante fetch --ra']
