package ntlm

// Negotiate flags. See [MS-NLMP] 2.2.2.5.
const (
	flagUnicode       uint32 = 1 << 0
	flagOEM           uint32 = 1 << 1
	flagRequestTarget uint32 = 1 << 2
	flagSign          uint32 = 1 << 4
	flagSeal          uint32 = 1 << 5
	flagDatagram      uint32 = 1 << 6
	flagLMKey         uint32 = 1 << 7
	flagNTLM          uint32 = 1 << 9
	flagAnonymous     uint32 = 1 << 11
	flagAlwaysSign    uint32 = 1 << 15
	flagTargetServer  uint32 = 1 << 17
	flagESS           uint32 = 1 << 19
	flagIdentify      uint32 = 1 << 20
	flagTargetInfo    uint32 = 1 << 23
	flagVersion       uint32 = 1 << 25
	flag128           uint32 = 1 << 29
	flagKeyExchange   uint32 = 1 << 30
	flag56            uint32 = 1 << 31
)

// What an initiator offers. LM keys and OEM names are never offered.
const initiatorFlags = flagUnicode | flagRequestTarget | flagSign | flagSeal | flagNTLM | flagAlwaysSign |
	flagESS | flagTargetInfo | flagVersion | flag128 | flagKeyExchange | flag56

// What an acceptor grants if the initiator asked for it.
const acceptorFlags = flagUnicode | flagOEM | flagSign | flagSeal | flagESS | flagIdentify | flagVersion |
	flag128 | flagKeyExchange | flag56

// protects reports whether the flags make a session that can sign: asked for, and with keys per direction.
func protects(flags uint32) bool {
	return flags&(flagSign|flagSeal) != 0 && flags&flagESS != 0
}
