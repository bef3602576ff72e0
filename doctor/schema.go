package doctor

import _ "embed"

// SchemaJSON is the JSON Schema of a report.
//
//go:embed schema.json
var SchemaJSON []byte
