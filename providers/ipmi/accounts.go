package ipmi

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/bougou/go-ipmi/pkg/client"
	"github.com/bougou/go-ipmi/pkg/types"

	"github.com/casementhq/casement/cim"
)

// account is a user of a BMC.
type account struct {
	number       uint8
	name         string
	descriptions []string
}

// Enable status of a user. See [IPMI] 22.27.
const (
	userEnabled  = 1
	userDisabled = 2
)

// readAccounts reads the users that have a name or are enabled.
func readAccounts(ctx context.Context, conn *client.Client) (out []account, err error) {
	const mostUsers = 63 // the field has six bits
	for number, last := uint8(1), uint8(1); number <= last; number++ {
		access, err := conn.GetUserAccess(ctx, types.ChannelNumberSelf, number)
		if err != nil {
			return nil, err
		}
		last = min(access.MaxUsersIDCount&mostUsers, mostUsers)
		name := ""
		if answer, err := conn.GetUsername(ctx, number); err == nil {
			name = strings.TrimRight(answer.Username, "\x00 ")
		} else if _, refused := completion(err); !refused {
			return nil, err
		}
		if name == "" && access.EnableStatus != userEnabled {
			continue
		}
		a := account{number: number, name: name, descriptions: []string{"Privilege limit: " + access.MaxPrivLevel.String()}}
		switch access.EnableStatus {
		case userEnabled:
			a.descriptions = append(a.descriptions, "Enabled")
		case userDisabled:
			a.descriptions = append(a.descriptions, "Disabled")
		}
		out = append(out, a)
	}
	return out, nil
}

func (c *call) accounts(ctx context.Context) error {
	if !isAdministrator(c.r.Caller) {
		return errAdministratorsOnly(accountClass, "the list of users of a BMC")
	}
	var found []account
	return c.each(ctx, "SystemName", func(ctx context.Context, _ *bmc, conn *client.Client) (err error) {
		found, err = readAccounts(ctx, conn)
		return err
	}, func(d Device) error {
		for _, a := range found {
			o := newObject(c.r.Class)
			o.text("SystemCreationClassName", computerClass)
			o.text("SystemName", d.Name)
			o.text("CreationClassName", accountClass)
			o.text("Name", strconv.Itoa(int(a.number)))
			o.text("UserID", a.name)
			o.text("ElementName", a.name)
			o.text("Caption", fmt.Sprintf("User %d of the BMC %s", a.number, d.Name))
			o.set("Descriptions", cim.Strs(a.descriptions))
			if err := c.emit(o); err != nil {
				return err
			}
		}
		return nil
	})
}

func itoa(n uint32) string { return strconv.FormatUint(uint64(n), 10) }
