package casement_test

import (
	"context"
	"fmt"
	"os"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

// Queries a machine and prints what comes, while it comes.
func ExampleDial() {
	ctx := context.Background()
	conn, err := casement.Dial(ctx, "winrm://server.example.com", casement.Options{User: "Administrator", Password: os.Getenv("PASSWORD")})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	rows, err := conn.Query(ctx, `root\cimv2`, "SELECT Name, State FROM Win32_Service WHERE State = 'Running'")
	if err != nil {
		fmt.Println(err)
		return
	}
	err = cim.Each(ctx, rows, func(i *cim.Instance) error {
		fmt.Println(i.Get("Name"), i.Get("State"))
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
}

// Runs a command with the program's own streams.
func ExampleConnection_Shell() {
	ctx := context.Background()
	conn, err := casement.Dial(ctx, "https://server.example.com", casement.Options{User: "Administrator", Password: os.Getenv("PASSWORD")})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	shell, err := conn.Shell(ctx, wsmanclient.ShellOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer shell.Close(ctx)
	code, err := shell.Run(ctx, wsmanclient.CommandOptions{Command: "hostname", Stdout: os.Stdout, Stderr: os.Stderr}, nil)
	fmt.Println(code, err)
}

// Copies a folder to a machine, and goes on where an earlier copy ended.
func ExampleConnection_CopyTo() {
	ctx := context.Background()
	conn, err := casement.Dial(ctx, "web1", casement.Options{}) // of the hosts file
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	result, err := conn.CopyTo(ctx, "site", "/srv/www", casement.CopyOptions{Resume: true, Progress: func(p casement.Progress) {
		fmt.Printf("%s %d of %d\n", p.File, p.Done, p.Total)
	}})
	fmt.Println(result.Files, err)
}
