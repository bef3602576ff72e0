package lists

// readAnsibleYAML reads the YAML of an inventory, in the subset of yaml.go: groups
// with hosts, vars and children.
func readAnsibleYAML(b *builder, text string) error {
	root, err := parseYAML(text)
	if err != nil {
		return err
	}
	v := newInventory(b)
	for _, n := range root {
		if err := v.yamlGroup(n, nil); err != nil {
			return err
		}
	}
	return v.finish()
}

// yamlGroup takes a group and all that it contains. Groups are nested as deep as
// lines are indented, which parseYAML bounds.
func (v *inventory) yamlGroup(n *node, parent *group) error {
	g, err := v.group(n.key, n.line, n.column)
	if err != nil {
		return err
	}
	if parent != nil && parent.name != "all" {
		if len(g.parents) == maxTags {
			return wrong(n.line, n.column, "the group %s is in more than %d others", quoted(g.name), maxTags)
		}
		g.parents = append(g.parents, parent)
	}
	if err := n.mustBeMapping("a group"); err != nil {
		return err
	}
	for _, part := range n.children {
		switch part.key {
		case "hosts":
			if err := part.mustBeMapping("hosts"); err != nil {
				return err
			}
			for _, h := range part.children {
				if err := h.mustBeMapping("a host"); err != nil {
					return err
				}
				set := variables{}
				if err := v.yamlVariables(set, h.children); err != nil {
					return err
				}
				if err := v.add(h.key, g, set, h.line, h.column); err != nil {
					return err
				}
			}
		case "vars":
			if err := part.mustBeMapping("vars"); err != nil {
				return err
			}
			if err := v.yamlVariables(g.variables, part.children); err != nil {
				return err
			}
		case "children":
			if err := part.mustBeMapping("children"); err != nil {
				return err
			}
			for _, c := range part.children {
				if err := v.yamlGroup(c, g); err != nil {
					return err
				}
			}
		default:
			return wrong(part.line, part.column, "a group has hosts, vars and children, but no %s", quoted(part.key))
		}
	}
	return nil
}

func (v *inventory) yamlVariables(to variables, from []*node) error {
	for _, n := range from {
		if n.vault {
			v.secret(n.key, n.line)
			continue
		}
		if _, ours := ansibleNames[n.key]; ours && (n.opaque || n.children != nil) {
			return wrong(n.line, n.column, "%s is no plain value", n.key)
		}
		if err := v.set(to, n.key, n.value, n.line, n.column); err != nil {
			return err
		}
	}
	return nil
}
