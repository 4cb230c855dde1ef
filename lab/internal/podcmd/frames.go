package podcmd

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/mdlayher/packet"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

// macSize is the length of a MAC, in bytes.
const macSize = 6

func newFramesCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "frames LINK",
		Short: "Send frames, one line of hexadecimal digits each, and answer every line when it is sent",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			link, err := net.InterfaceByName(args[0])
			if err != nil {
				return fmt.Errorf("frames: %w", err)
			}
			socket, err := packet.Listen(link, packet.Raw, unix.ETH_P_ALL, nil)
			if err != nil {
				return fmt.Errorf("frames: %w", err)
			}
			defer func() { err = errors.Join(err, socket.Close()) }()
			return sendLines(cmd.OutOrStdout(), cmd.InOrStdin(), func(frame []byte) error {
				_, err := socket.WriteTo(frame, &packet.Addr{HardwareAddr: frame[:macSize]})
				return err
			})
		},
	}
}

// sendLines sends the frame of each line and answers with "sent" or with what is wrong.
func sendLines(w io.Writer, r io.Reader, send func(frame []byte) error) error {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		frame, err := hex.DecodeString(lines.Text())
		if err == nil && len(frame) < macSize {
			err = errors.New("a frame begins with a MAC")
		}
		if err == nil {
			err = send(frame)
		}
		answer := "sent"
		if err != nil {
			answer = "not sent: " + err.Error()
		}
		if _, err := fmt.Fprintln(w, answer); err != nil {
			return fmt.Errorf("frames: %w", err)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("frames: %w", err)
	}
	return nil
}
