package soap

// AppendText appends s as character data; see [Writer.Text].
func AppendText(dst []byte, s string) []byte { return appendEscaped(dst, s, false) }

// AppendAttr appends s as the value of an attribute in double quotes, without
// the quotes.
func AppendAttr(dst []byte, s string) []byte { return appendEscaped(dst, s, true) }
