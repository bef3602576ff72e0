package cli

import (
	"errors"
	"fmt"

	"github.com/casementhq/casement/accounts"
	"github.com/casementhq/casement/service"
	"github.com/spf13/cobra"
)

func init() { subcommands = append(subcommands, newGroup) }

const groupHelp = `Local groups of this Casement machine and their members. Built in are Administrators, Users,
Guests, Remote Management Users, WinRMRemoteWMIUsers__ and others. A member is a local user, a
well-known name such as Everyone, or a SID, also one of a domain. An account of a domain is named
DOMAIN\name where this machine can ask for its SID, or user@REALM. The next sign-in counts.`

func newGroup(s Streams) *cobra.Command {
	c := &cobra.Command{Use: "group", Short: "Change and list local groups and their members", Long: groupHelp,
		Example: "  casement group add WinRMRemoteWMIUsers__ alice\n  casement group list Administrators\n  casement group create Operators"}
	c.AddCommand(
		groupMembers(s, "add", "Make members of a group", "added to", (*accounts.Store).AddMember),
		groupMembers(s, "remove", "Take members out of a group", "removed from", (*accounts.Store).RemoveMember),
		groupList(s), groupCreate(s), groupDelete(s))
	return group(c)
}

func unknownGroup(err error) error {
	if errors.Is(err, accounts.ErrNoSuchGroup) {
		return fmt.Errorf("%w; 'casement group list' shows the groups", err)
	}
	return unknownUser(err)
}

func groupMembers(s Streams, verb, short, done string, do func(*accounts.Store, string, string) error) *cobra.Command {
	c := &cobra.Command{Use: verb + " GROUP MEMBER...", Short: short, Args: operands(2, -1, "a group and its members"), Long: groupHelp,
		Example: "  casement group " + verb + " 'Remote Management Users' alice bob"}
	state := stateFlag(c)
	c.RunE = func(_ *cobra.Command, args []string) error {
		return withState(*state, func(st *service.State) error {
			for _, member := range args[1:] {
				if err := do(st.Accounts, args[0], member); err != nil {
					return unknownGroup(err)
				}
				fmt.Fprintf(s.Out, "%s was %s %s.\n", member, done, args[0])
			}
			return nil
		})
	}
	return c
}

func groupList(s Streams) *cobra.Command {
	c := &cobra.Command{Use: "list [GROUP]", Short: "List the groups, or the members of one", Args: operands(0, 1, "at most one group"),
		Example: "  casement group list\n  casement group list Administrators -o json"}
	state := stateFlag(c)
	format := formatFlag(c)
	c.RunE = func(_ *cobra.Command, args []string) error {
		return withState(*state, func(st *service.State) error {
			if len(args) == 1 {
				return listMembers(s, st.Accounts, args[0], *format)
			}
			groups, err := st.Accounts.Groups()
			if err != nil {
				return err
			}
			t := listing{format: *format, columns: []string{"Name", "Domain", "SID", "Members", "Comment"}}
			for _, g := range groups {
				t.add(g.Name, g.Domain, g.SID.String(), len(g.Members), g.Comment)
			}
			return t.print(s.Out)
		})
	}
	return c
}

func listMembers(s Streams, store *accounts.Store, name, format string) error {
	g, err := store.LookupGroup(name)
	if err != nil {
		return unknownGroup(err)
	}
	t := listing{format: format, columns: []string{"Member", "SID"}}
	for _, m := range g.Members {
		t.add(store.AccountName(m), m.String())
	}
	return t.print(s.Out)
}

func groupCreate(s Streams) *cobra.Command {
	var comment string
	c := &cobra.Command{Use: "create GROUP", Short: "Make a group without members", Args: operands(1, 1, "one group name"),
		Example: "  casement group create Operators --comment 'may restart services'"}
	state := stateFlag(c)
	c.Flags().StringVar(&comment, "comment", "", "comment")
	c.RunE = func(_ *cobra.Command, args []string) error {
		return withState(*state, func(st *service.State) error {
			g, err := st.Accounts.AddGroup(args[0], comment)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(s.Out, "Group %s was made (%s).\n", g.Name, g.SID)
			return err
		})
	}
	return c
}

func groupDelete(s Streams) *cobra.Command {
	c := &cobra.Command{Use: "delete GROUP...", Short: "Delete groups; built-in ones stay", Args: operands(1, -1, "group names"),
		Example: "  casement group delete Operators"}
	state := stateFlag(c)
	c.RunE = func(_ *cobra.Command, args []string) error {
		return withState(*state, func(st *service.State) error {
			for _, name := range args {
				if err := st.Accounts.DeleteGroup(name); err != nil {
					return unknownGroup(err)
				}
				fmt.Fprintf(s.Out, "Group %s was deleted.\n", name)
			}
			return nil
		})
	}
	return c
}
