# SPDX-License-Identifier: MIT
"""getmail6, as tests can use it."""

# getmail starts a process for each mail, and if that ends before it is waited for, getmail waits for
# a minute and gives up. So what that process would do is done at once; the rest is as it is.
GETMAIL = '''
import runpy, sys
from getmailcore import destinations
def deliver(self, msg, delivered_to, received):
    destinations.deliver_maildir(self.conf["path"], msg.flatten(delivered_to, received),
                                 self.hostname, self.dcount, self.conf["filemode"])
    self.dcount += 1
destinations.Maildir._deliver_message = deliver
sys.argv[0] = "getmail"
runpy.run_path("/usr/bin/getmail", run_name="__main__")
'''
