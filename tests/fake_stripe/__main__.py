"""The fake Stripe as a program: `python -m tests.fake_stripe`; it prints its port."""

from tests.fake_stripe.server import Server

server = Server()
print(server.server_address[1], flush=True)
server.serve_forever()
