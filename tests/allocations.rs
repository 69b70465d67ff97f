//! What is allocated while octets are dissected: so much an event, whatever the lines in it.
