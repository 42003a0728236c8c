namespace Akvam.Cli.Terminal;

/// <summary>Picks the commands to the emulator out of what the user types: Ctrl-A and a key.</summary>
internal sealed class EscapeKeys
{
    /// <summary>Ctrl-A.</summary>
    public const byte Escape = 0x01;

    private bool _pending;

    /// <summary>What the keys do.</summary>
    public static string Help =>
        "\r\nCtrl-A x  ends the machine\r\nCtrl-A r  reports what each processor does\r\nCtrl-A h  this help\r\nCtrl-A Ctrl-A  sends Ctrl-A to the guest\r\n";

    /// <summary>Takes a character from the terminal.</summary>
    /// <returns>What to do; <see cref="EscapeAction.Send"/> means this very character.</returns>
    public EscapeAction Next(byte key)
    {
        if (!_pending)
        {
            _pending = key == Escape;
            return _pending ? EscapeAction.None : EscapeAction.Send;
        }

        _pending = false;
        return key switch
        {
            Escape or (byte)'a' => EscapeAction.SendEscape,
            (byte)'x' or (byte)'X' => EscapeAction.Quit,
            (byte)'r' => EscapeAction.Report,
            (byte)'h' or (byte)'?' => EscapeAction.Help,
            _ => EscapeAction.None,
        };
    }
}
