import os
import poplib

box = poplib.POP3(os.environ["POP3_HOST"], int(os.environ["POP3_PORT"]))
box.user("kcope")
box.pass_("any password")
box.list()
box.dele(2)
box.list()
box.quit()
