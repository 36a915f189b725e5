# SPDX-License-Identifier: MIT
"""Every process is killed at random moments, while mail comes in and is fetched and deleted.

What was promised must hold whatever dies and whenever:

  a message that was answered 250 is there, whole and once; one that wasn't is there at most once;
  a QUIT that was answered +OK has deleted all that was marked, for ever; one that wasn't has deleted
  all of it or nothing; a session that ends without QUIT has deleted nothing;
  no message is ever seen in part, and no maildrop stays locked.

For two of the users DELE hides, or moves to the trash: the same must hold of what they see, and at
the end restantectl undelete brings back all that they have deleted, whole and once. A third one has
a maildrop of two folders, and both of them mail.
"""
import os
import random
import re
import signal
import threading
import time

from harness import PASSWORD, wait_until
from lmtp_client import Lmtp, stuff

USERS = 6
SENDERS = 3
WAITING = 30             # messages of a user: a reader must come to the end of them between two kills
LIVES = 40               # of the server
KILLS_IN_A_LIFE = (3, 5)  # with more, the master begins to wait before it starts a child again
HIDES, TRASHES, HAS_JUNK = 1, 2, 3  # users
RULES = {HIDES: 'dele=hide', TRASHES: 'dele=trash', HAS_JUNK: 'folders=INBOX,Junk'}
SEED = int(os.environ.get('RESTANTE_SEED') or time.time_ns() % 1_000_000)


class BrokenOff(Exception):
    """A connection, or what was asked for: to be expected here."""


class BrokenPromise(Exception):
    """What must not be."""


def promise(holds, what):
    if not holds:
        raise BrokenPromise(what)


def text_of(number):
    """A message's octets: all of them follow from its number."""
    line = b'.%d %s\r\n' % (number, b'x' * (number % 61))
    return b'Number: %d\r\n\r\n%s' % (number, line * (1, 10, 100, 2000)[number % 4])


def number_of(text):
    """Of a message, which must be as it was sent, from its first octet to its last."""
    found = re.match(rb'Return-Path: <[^>]*>\r\n(?:Delivered-To: [^\r]*\r\n)?Number: (\d+)\r\n', text)
    promise(found, f'no message of ours: {text[:200]}')
    promise(text[found.start(1) - len('Number: '):] == text_of(int(found[1])),
            f'message {found[1]} is not whole')
    return int(found[1])


class Truth:
    """What is so, for each user: sets of numbers."""

    def __init__(self):
        self.lock = threading.Lock()
        self.last = 0
        self.here = [set() for _ in range(USERS)]   # answered 250, and not deleted
        self.maybe = [set() for _ in range(USERS)]  # sent, and answered 451 or not at all
        self.gone = [set() for _ in range(USERS)]   # deleted, and +OK was said
        self.moving = [[] for _ in range(USERS)]    # marked by QUITs that were not answered +OK

    def send(self, users):
        """The number of a message that is about to be sent."""
        with self.lock:
            self.last += 1
            for user in users:
                self.maybe[user].add(self.last)
            return self.last

    def has_room(self):
        """Users whose reader keeps up: without this, senders outrun readers for ever."""
        with self.lock:
            return [u for u in range(USERS) if len(self.here[u]) < WAITING]

    def accepted(self, number, user):
        with self.lock:
            self.maybe[user].discard(number)
            if number not in self.gone[user]:  # its user may have been faster
                self.here[user].add(number)

    def expect(self, user):
        """What a session that begins later must show."""
        with self.lock:
            return set(self.here[user])

    def look(self, user, expected, numbers):
        """A session shows these messages; it began after expected was asked for."""
        seen = set(numbers)
        promise(len(seen) == len(numbers), f'user{user} has one twice: {sorted(numbers)}')
        with self.lock:
            promise(not seen & self.gone[user], f'user{user}: back again: {seen & self.gone[user]}')
            for group in self.moving[user]:
                left = group & seen
                promise(left in (set(), group), f'user{user}: a part of a QUIT: {left} of {group}')
                if not left:
                    self.delete(user, group)
                    expected -= group
            self.moving[user] = []
            promise(expected <= seen, f'user{user}: lost: {expected - seen}')
            promise(seen <= self.here[user] | self.maybe[user], f'user{user}: from nowhere')

    def delete(self, user, group):
        self.gone[user] |= group
        self.here[user] -= group
        self.maybe[user] -= group

    def quits(self, user, group):
        """QUIT is about to be said."""
        with self.lock:
            self.moving[user].append(group)

    def deleted(self, user):
        """It was answered +OK."""
        with self.lock:
            self.delete(user, self.moving[user].pop())


class Worker(threading.Thread):
    """Does one thing again and again until it is told to stop, or a promise is broken."""

    def __init__(self, daemon, truth, number):
        super().__init__(name=f'{type(self).__name__}-{number}')
        self.server, self.truth, self.number = daemon, truth, number
        self.random = random.Random(SEED * 100 + number)
        self.done = threading.Event()
        self.rounds = 0
        self.broken_off = 0
        self.last = ''  # what broke off last
        self.error = None

    def run(self):
        while not self.done.is_set():
            try:
                self.work()
                self.rounds += 1
            except (BrokenOff, OSError) as e:
                self.last = repr(e)
                self.broken_off += 1
                self.done.wait(0.005)  # refused until somebody listens again
            except AssertionError as e:
                if not str(e).startswith('the connection ended'):
                    self.error = e
                    return
                self.last = str(e)
                self.broken_off += 1
            except BaseException as e:  # pylint: disable=broad-except
                self.error = e
                return


class Sender(Worker):
    """A connection by LMTP, a few messages to one user or several, and hardly ever a QUIT."""

    def work(self):
        with Lmtp(self.server.lmtp) as lmtp:
            lmtp.hello()
            for _ in range(self.random.randint(1, 20)):
                users = self.truth.has_room()
                if users:
                    count = self.random.choice([1, 1, 2, 4])
                    self.deliver(lmtp, self.random.sample(users, min(count, len(users))))
                if self.done.wait(0 if users else 0.01):
                    break

    def deliver(self, lmtp, users):
        lmtp.send(b'MAIL FROM:<sender@example.net>\r\n' +
                  b''.join(b'RCPT TO:<user%d@example.org>\r\n' % user for user in users) +
                  b'DATA\r\n')
        self.want(lmtp.reply(), 250)
        answers = [lmtp.reply().code for _ in users]
        promise(set(answers) <= {250, 451}, f'RCPT was answered {answers}')
        users = [user for user, code in zip(users, answers) if code == 250]
        self.want(lmtp.reply(), 354)
        number = self.truth.send(users)
        lmtp.send(stuff(text_of(number)))
        for user in users:
            if self.want(lmtp.reply(), 250, give_up=False):
                self.truth.accepted(number, user)
        self.rounds += 1

    def want(self, reply, code, give_up=True):
        if reply.code == code:
            return True
        # 503: DATA, when every RCPT had to be put off.
        promise(reply.code in (451, 421, 503), reply)
        if give_up:
            raise BrokenOff(reply)
        return False


class Reader(Worker):
    """A user, who is the only one to fetch this mail: sees all of it, and deletes some."""

    def work(self):
        expected = self.truth.expect(self.number)
        wire = self.server.wire(tls=self.random.random() < 0.3)
        try:
            self.ask(wire, f'USER user{self.number}')
            self.ask(wire, f'PASS {PASSWORD}')
            self.session(wire, expected)
        finally:
            wire.close()

    def ask(self, wire, command):
        reply = wire.reply(command)
        if not reply.startswith('+OK'):
            promise(reply.startswith(('-ERR [SYS/TEMP] ', '-ERR [IN-USE] ')), (command, reply))
            raise BrokenOff(reply)
        return reply

    def session(self, wire, expected):
        count = int(self.ask(wire, 'STAT').split()[1])
        numbers = []
        for n in range(1, count + 1):
            octets = int(self.ask(wire, f'LIST {n}').split()[2])
            self.ask(wire, f'RETR {n}')
            text = wire.octets()
            promise(len(text) == octets, f'LIST says {octets} of {len(text)} octets')
            numbers.append(number_of(text))
        self.truth.look(self.number, expected, numbers)

        share = self.random.choice([0, 0.5, 0.5, 1])
        marked = {n for n in range(count) if self.random.random() < share}
        for n in marked:
            self.ask(wire, f'DELE {n + 1}')
        if self.random.random() < 0.2:
            return  # without QUIT: nothing may be deleted
        self.truth.quits(self.number, {numbers[n] for n in marked})
        self.ask(wire, 'QUIT')
        self.truth.deleted(self.number)


class Load:
    def __init__(self, daemon):
        self.daemon = daemon
        self.truth = Truth()
        self.senders = [Sender(daemon, self.truth, i) for i in range(SENDERS)]
        self.readers = [Reader(daemon, self.truth, i) for i in range(USERS)]

    def __enter__(self):
        for worker in self.senders + self.readers:
            worker.start()
        return self

    def __exit__(self, *_):
        for worker in self.senders + self.readers:
            worker.done.set()
        for worker in self.senders + self.readers:
            worker.join()

    def check(self):
        for worker in self.senders + self.readers:
            if worker.error is not None:
                raise worker.error

    def wait_for_work(self):
        """Until somebody has had mail taken in, and somebody has seen a session through."""
        rounds = [sum(w.rounds for w in workers) for workers in (self.senders, self.readers)]

        def both():
            self.check()
            return all(sum(w.rounds for w in workers) > before
                       for workers, before in zip((self.senders, self.readers), rounds))

        try:
            wait_until(both, 'service is back')
        except AssertionError:
            for w in self.senders + self.readers:
                print(f'{w.name}: {w.rounds} rounds, {w.broken_off} broken off, last: {w.last}')
            print('\n'.join(self.daemon.log[-100:]))
            raise


def children(daemon, role):
    """The pids of those that live, as far as the log tells."""
    started = daemon.logged(f'event=child-started role={role}')
    ended = daemon.logged(f'event=child-(died|ended) role={role}')
    return [int(p) for p in {re.search(r'pid=(\d+)', line)[1] for line in started} -
            {re.search(r'pid=(\d+)', line)[1] for line in ended}]


def kill_one(daemon, chance):
    role = chance.choice(['storage', 'storage', 'listener', 'listener', 'auth'])
    pids = children(daemon, role)
    if pids:
        try:
            os.kill(chance.choice(pids), signal.SIGKILL)
        except ProcessLookupError:
            return None
        return role
    return None


def junk_comes_in(daemon, truth):
    """Into the other folder, by another program."""
    top = daemon.maildir(f'user{HAS_JUNK}') / '.Junk'
    for part in (top, top / 'new', top / 'cur', top / 'tmp'):
        if not part.exists():
            part.mkdir()
            daemon.give_to_nobody(part)
    if HAS_JUNK not in truth.has_room():
        return
    for _ in range(3):
        number = truth.send([HAS_JUNK])
        daemon.store(f'user{HAS_JUNK}', b'Return-Path: <>\r\n' + text_of(number),
                     f'{int(time.time())}.M{number}P1.junk', '.Junk/new')
        truth.accepted(number, HAS_JUNK)


def bring_back(daemon, truth):
    """All that was deleted by those for whom that isn't the end of it."""
    for user in (HIDES, TRASHES):
        said = daemon.ctl('undelete', f'user{user}', '--all').stdout
        count = int(re.fullmatch(rb'brought back (\d+) messages?\n', said)[1])
        with daemon.wire(f'user{user}') as wire:
            numbers = [number_of(wire.retr(n)) for n in wire.sizes()]
            wire.quit()
        promise(len(set(numbers)) == len(numbers), f'user{user} has one twice: {sorted(numbers)}')
        missing = (truth.here[user] | truth.gone[user]) - set(numbers)
        promise(not missing, f'user{user}: lost in undelete: {missing}')
        strange = set(numbers) - truth.here[user] - truth.gone[user] - truth.maybe[user]
        promise(not strange, f'user{user}: from nowhere: {strange}')
        promise(count == len(truth.gone[user]), f'user{user}: {count} of {len(truth.gone[user])}')
        assert count > 0


def check_files(daemon):
    """Nothing lies about that is no message, nor a journal of what was never finished."""
    for path in daemon.mail.rglob('*'):
        assert path.name != 'restante.journal', path
        assert not (path.is_file() and path.parent.name == 'tmp'), path


def test_kill(make_daemon):
    print(f'RESTANTE_SEED={SEED}')
    chance = random.Random(SEED)
    daemon = make_daemon()
    for user, rule in RULES.items():
        daemon.ctl('user', 'set', f'user{user}', rule)
    kills = {'storage': 0, 'listener': 0, 'auth': 0, 'master': 0}
    with Load(daemon) as load:
        for life in range(LIVES):
            junk_comes_in(daemon, load.truth)
            if life > 0:
                daemon.start()
            for _ in range(chance.randint(*KILLS_IN_A_LIFE)):
                load.wait_for_work()
                time.sleep(chance.random() * 0.03)
                role = kill_one(daemon, chance)
                if role:
                    kills[role] += 1
            load.wait_for_work()
            if life % 4 == 3:
                assert daemon.stop() == 0  # as it is stopped every day
            else:
                daemon.kill()
                kills['master'] += 1
        daemon.start()
        load.wait_for_work()
    load.check()

    # It is quiet. Everybody gets in at the first try, and sees what must be there and no more.
    for reader in load.readers:
        expected = load.truth.expect(reader.number)
        with daemon.wire(f'user{reader.number}') as wire:
            numbers = [number_of(wire.retr(n)) for n in wire.sizes()]
            wire.quit()
        load.truth.look(reader.number, expected, numbers)
    bring_back(daemon, load.truth)
    check_files(daemon)
    sent = load.truth.last
    print(f'{kills}; {sent} messages sent; '
          f'{sum(map(len, load.truth.gone))} deleted, {sum(map(len, load.truth.here))} left; '
          f'{sum(r.rounds for r in load.readers)} sessions, '
          f'{sum(w.broken_off for w in load.readers + load.senders)} broken off')
    assert sum(kills.values()) > LIVES * 2
