"""The API over HTTP: reading requests, refusing them in the API's words, answering in the asked version."""
