package stdregprov

import (
	"strings"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/registry"
	"github.com/casementhq/casement/security"
)

// code is a return value of StdRegProv: an error code of winerror.h, or a WBEMSTATUS. See [MS-ERREF] 2.2.
type code uint32

const (
	success          code = 0
	fileNotFound     code = 2
	accessDenied     code = 5
	invalidHandle    code = 6
	notSupported     code = 50
	invalidParameter code = 87
	generalFailure   code = 31
	typeMismatch     code = code(cim.ErrTypeMismatch)
)

// The trees that hDefKey may name. See the documentation of StdRegProv.
const (
	classesRoot   = 0x80000000
	localMachine  = 0x80000002
	currentConfig = 0x80000005
	dynData       = 0x80000006
)

// Rights of a registry key. See the documentation of StdRegProv.CheckAccess.
const (
	queryValue    uint32 = 0x0001
	setValue      uint32 = 0x0002
	createSubKey  uint32 = 0x0004
	enumerateKeys uint32 = 0x0008
)

// call is one call of a method.
type call struct {
	p     *Provider
	token *security.Token
	in    cim.Arguments
	out   cim.NamedArray
	key   string // HKLM\...
}

// locate reads hDefKey and sSubKeyName, and asks whether the caller has the rights on the key.
func (c *call) locate(right uint32) code {
	tree, ok := c.in.Get("hDefKey").Uint()
	if !ok {
		tree = localMachine
	}
	name, _ := c.in.Get("sSubKeyName").Str()
	switch {
	case tree == localMachine:
	case tree >= classesRoot && tree <= dynData && tree != currentConfig-1: // trees that are not kept here are empty
		if right&^(queryValue|enumerateKeys) == 0 {
			return fileNotFound
		}
		return notSupported
	default:
		return invalidHandle
	}
	// several backslashes count as one, as for Windows: callers double them out of habit
	c.key = registry.JoinKey(strings.FieldsFunc(name, func(r rune) bool { return r == '\\' })...)
	if _, err := registry.SplitKey(c.key); err != nil {
		return invalidParameter
	}
	if right != 0 && !c.granted(right) {
		return accessDenied
	}
	return success
}

func (c *call) granted(right uint32) bool {
	_, err := security.AccessCheck(c.descriptor(), c.token, right, security.KeyMapping)
	return err == nil
}

// descriptor decides about the key.
func (c *call) descriptor() *security.SecurityDescriptor {
	if c.p.access != nil {
		if sd := c.p.access(c.key); sd != nil {
			return sd
		}
	}
	return c.p.usual
}

// valueName is the name of a value; without one it is the default value of the key.
func (c *call) valueName() string {
	s, _ := c.in.Get("sValueName").Str()
	return s
}

func (c *call) result(name string, v cim.Value) code {
	c.out = append(c.out, cim.NamedValue{Name: name, Value: v})
	return success
}

// update changes the hive. f returns success where there is something to be written; another code leaves the hive as
// it is.
func (c *call) update(f func(tx *registry.Tx) (code, error)) code {
	var result code
	err := c.p.hive.Update(func(tx *registry.Tx) (err error) {
		if result, err = f(tx); err == nil && result != success {
			err = errNothing
		}
		return err
	})
	if result != success {
		return result
	}
	return c.written(err)
}

// written is success, or the failure of the hive, which goes into the log.
func (c *call) written(err error) code {
	if err == nil {
		return success
	}
	c.p.log.Warn("the registry could not be written", "key", c.key, "error", err)
	return generalFailure
}

// set writes a value of an existing key.
func (c *call) set(v registry.Value) code {
	return c.update(func(tx *registry.Tx) (code, error) {
		if !tx.Exists(c.key) {
			return fileNotFound, nil
		}
		if err := tx.Set(c.key, c.valueName(), v); err != nil {
			return invalidParameter, nil //nolint:nilerr // the only failures of Set are bad names and too much data
		}
		return success, nil
	})
}
