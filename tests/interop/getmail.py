"""Starts getmail with a repair. It forks to deliver a message and only then asks to be told when the
child ends: a quick child is waited for in vain (6.18). Nothing that it says to a server is changed."""
import os
import runpy
import shutil

from getmailcore.baseclasses import ForkingBase

ForkingBase._prepare_child = lambda self: None
ForkingBase._wait_for_child = lambda self, child: os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
runpy.run_path(shutil.which("getmail"), run_name="__main__")
