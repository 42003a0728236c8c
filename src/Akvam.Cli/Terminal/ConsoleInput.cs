using Akvam.Machine.Devices;

namespace Akvam.Cli.Terminal;

/// <summary>Reads standard input on a thread of its own and passes it to the guest.</summary>
/// <remarks>From a terminal, keys that find a full queue are lost, as on a real line, so that Ctrl-A always gets through. From a file or a
/// pipe, reading waits until the guest has taken what came before, so nothing is lost.</remarks>
internal sealed class ConsoleInput
{
    private const int StandardInput = 0;
    private const int EndIntervalMilliseconds = 500;
    private const byte EndOfTransmission = 0x04, LineFeed = (byte)'\n';

    private readonly SerialQueue _queue;
    private readonly Action _arrived;

    /// <param name="queue">Where characters go.</param>
    /// <param name="arrived">Called after some arrived.</param>
    public ConsoleInput(SerialQueue queue, Action arrived)
    {
        _queue = queue;
        _arrived = arrived;
    }

    /// <summary>Handles what Ctrl-A asks for; null when standard input is not a terminal.</summary>
    public Action<EscapeAction>? Command { get; init; }

    /// <summary>Whether the end of the input is passed on as Ctrl-D at the start of a line, again and again as long as the machine runs.</summary>
    public bool SendEndOfInput { get; init; }

    /// <summary>Starts the thread, which does not keep the process alive.</summary>
    public void Start() => new Thread(Run) { IsBackground = true, Name = "console input" }.Start();

    private void Run()
    {
        var keys = new EscapeKeys();
        byte last = LineFeed;
        try
        {
            byte[] buffer = new byte[256];
            int count;
            while ((count = Libc.Read(StandardInput, buffer)) > 0)
            {
                foreach (byte value in buffer.AsSpan(0, count))
                {
                    last = value;
                    Take(keys, value);
                }

                _arrived();
            }
        }
        catch (IOException)
        {
            // A closed or write-only standard input is an empty one.
        }

        if (SendEndOfInput)
        {
            if (last != LineFeed)
            {
                Push(LineFeed);
            }

            // A program that reads to the end takes the first Ctrl-D, and whatever reads after it expects one too.
            while (true)
            {
                Push(EndOfTransmission);
                _arrived();
                Thread.Sleep(EndIntervalMilliseconds);
            }
        }
    }

    private void Take(EscapeKeys keys, byte value)
    {
        if (Command is null)
        {
            Push(value);
            return;
        }

        EscapeAction action = keys.Next(value);
        switch (action)
        {
            case EscapeAction.None:
                break;
            case EscapeAction.Send:
            case EscapeAction.SendEscape:
                _queue.TryAdd(action == EscapeAction.Send ? value : EscapeKeys.Escape);
                break;
            default:
                Command(action);
                break;
        }
    }

    /// <summary>Waits for room, and tells the guest that there is something whenever the queue is full.</summary>
    private void Push(byte value)
    {
        if (!_queue.TryAdd(value))
        {
            _arrived();
            _queue.Add(value);
        }
    }
}
