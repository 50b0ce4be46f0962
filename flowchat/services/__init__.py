"""One module per resource, one public function per operation: authorisation, validation, audit."""
