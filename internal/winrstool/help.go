package winrstool

import _ "embed"

//go:embed help.txt
var helpText string
