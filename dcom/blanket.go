package dcom

import (
	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/dcerpc"
)

// Blanket is with what identity and how much protection calls are made. Proxies with the same *Blanket share connections.
type Blanket struct {
	// Initiator begins to authenticate to a service (RPCSS/host, host/host) on the machine that the user named. Nil calls without
	// authentication, at LevelNone.
	Initiator func(spn, host string) (auth.Initiator, error)
	// AuthType is the provider that the Initiator is of, AuthSPNEGO by default.
	AuthType dcerpc.AuthType
	// Level is the protection of calls, LevelPrivacy by default. An activation has LevelIntegrity at least. What an exporter asks for raises it
	// (see callLevel), unless Exactly is set.
	Level   dcerpc.Level
	Exactly bool
}

func (b *Blanket) authType() dcerpc.AuthType {
	if b.AuthType == 0 {
		return dcerpc.AuthSPNEGO
	}
	return b.AuthType
}

func (b *Blanket) level() dcerpc.Level {
	switch {
	case b.Initiator == nil:
		return dcerpc.LevelNone
	case b.Level == 0:
		return dcerpc.LevelPrivacy
	}
	return b.Level
}

// activationLevel is the level for resolver and activator: LevelIntegrity at least ([MS-DCOM] <80>, <84>, <93>).
func (b *Blanket) activationLevel() dcerpc.Level {
	if b.Initiator == nil || b.Exactly {
		return b.level()
	}
	return max(b.level(), dcerpc.LevelIntegrity)
}

// callLevel is the level for an exporter that hints at its lowest. Windows refuses less than Integrity since 2022 ([MS-DCOM] <37>): what is below is
// raised to Integrity with NTLM, and to Privacy with what may be Kerberos.
func (b *Blanket) callLevel(hint uint32) dcerpc.Level {
	if b.Initiator == nil || b.Exactly {
		return b.level()
	}
	if hint > uint32(dcerpc.LevelNone) && hint <= uint32(dcerpc.LevelIntegrity) {
		hint = uint32(dcerpc.LevelPrivacy)
		if b.authType() == dcerpc.AuthNTLM {
			hint = uint32(dcerpc.LevelIntegrity)
		}
	}
	return max(b.level(), dcerpc.Level(min(hint, uint32(dcerpc.LevelPrivacy))), dcerpc.LevelIntegrity)
}
