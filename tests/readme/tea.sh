# Exits with 1 unless the first message is about tea.
curl --silent --user kcope:secret "$POP3_URL/1" | grep --quiet '^Subject: tea'
