package pool

import (
	"context"
	"slices"

	"github.com/casementhq/casement/cim"
)

const maxRoles = 2048

// featureRoles are the numbers of Win32_ServerFeature without a parent that are roles;
// others without a parent are features.
var featureRoles = map[uint64]bool{1: true, 2: true, 3: true, 5: true, 6: true, 7: true, 8: true, 9: true, 10: true, 11: true, 12: true, 13: true,
	14: true, 16: true, 17: true, 18: true, 19: true, 20: true, 21: true, 404: true, 468: true, 481: true, 485: true}

// featureRow is an instance of Win32_ServerFeature.
type featureRow struct {
	id, parent uint64
	name       string
}

// gatherRoles asks for what is installed.
func gatherRoles(ctx context.Context, c *collection) error {
	var rows []featureRow
	err := c.each(ctx, tileLimit, "SELECT ID, ParentID, Name FROM Win32_ServerFeature", maxRoles, func(i *cim.Instance) {
		rows = append(rows, featureRow{numberOf(i, "ID"), numberOf(i, "ParentID"), textOf(i, "Name")})
	})
	if err == nil {
		c.next.Roles = rolesOf(rows)
	}
	return err
}

// rolesOf tells roles from features. A part of a role is a role service, a part of a
// feature is a feature. A number counts once: the roles of all servers are listed beside
// each other, and no server has more of them than there are.
func rolesOf(rows []featureRow) []Role {
	parents := map[uint64]uint64{}
	rows = slices.DeleteFunc(rows, func(r featureRow) bool {
		_, twice := parents[r.id]
		if !twice {
			parents[r.id] = r.parent
		}
		return twice
	})
	roles := []Role{}
	for _, r := range rows {
		top := r.id
		for n := 0; n < 8 && parents[top] != 0; n++ { // a hostile host may go round in circles
			top = parents[top]
		}
		kind := "Feature"
		switch {
		case featureRoles[top] && r.parent == 0:
			kind = "Role"
		case featureRoles[top]:
			kind = "Role Service"
		}
		roles = append(roles, Role{Name: r.name, DisplayName: r.name, Type: kind})
	}
	return roles
}
