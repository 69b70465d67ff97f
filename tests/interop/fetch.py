"""Uses all that poplib has, and leaves each message in a file named by its number."""
import poplib
import ssl
import sys

# It refuses lines of more than 2048 octets; servers have sent longer ones since there were servers.
poplib._MAXLINE = 1 << 20

host, port, user, password, verb, *tls = sys.argv[1:]
context = ssl.create_default_context(cafile=tls[1]) if tls else None
if tls and tls[0] == "implicit":
    pop = poplib.POP3_SSL(host, int(port), timeout=30, context=context)
else:
    pop = poplib.POP3(host, int(port), timeout=30)
if tls and tls[0] == "stls":
    pop.stls(context=context)
try:
    print(pop.capa())
except poplib.error_proto as error:  # popa3d is older than CAPA
    print(error)
pop.user(user)
pop.pass_(password)
count, _ = pop.stat()
print(pop.list(), pop.uidl())
for n in range(1, count + 1):
    print(pop.list(n), pop.uidl(n), pop.top(n, 1))
    with open(f"{n}.eml", "wb") as file:
        file.writelines(line + b"\r\n" for line in pop.retr(n)[1])
    if verb == "delete":
        pop.dele(n)
pop.noop()
pop.quit()
