package pool

import (
	"context"

	"github.com/casementhq/casement/cim"
)

const maxRoles = 2048

// featureRoles are the numbers of Win32_ServerFeature without a parent that are roles;
// others without a parent are features.
var featureRoles = map[uint64]bool{1: true, 2: true, 3: true, 5: true, 6: true, 7: true, 8: true, 9: true, 10: true, 11: true, 12: true, 13: true,
	14: true, 16: true, 17: true, 18: true, 19: true, 20: true, 21: true, 404: true, 468: true, 481: true, 485: true}

// gatherRoles asks for what is installed. A part of a role is a role service, a part of
// a feature is a feature.
func gatherRoles(ctx context.Context, c *collection) error {
	type row struct {
		id, parent uint64
		name       string
	}
	var rows []row
	parents := map[uint64]uint64{}
	err := c.each(ctx, tileLimit, "SELECT ID, ParentID, Name FROM Win32_ServerFeature", maxRoles, func(i *cim.Instance) {
		r := row{numberOf(i, "ID"), numberOf(i, "ParentID"), textOf(i, "Name")}
		rows = append(rows, r)
		parents[r.id] = r.parent
	})
	if err != nil {
		return err
	}
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
	c.next.Roles = roles
	return nil
}
