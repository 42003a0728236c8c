using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace Akvam.Debugger.Smram;

/// <summary>
/// Shows the state-save images of a running machine on a Unix socket. A request is a line "smram N", N a vCPU's id; the answer a line "ok IN-SMM SMBASE COUNT" (0 or 1,
/// hexadecimal, decimal) and the 512 bytes of the image, or a line "error WHY".
/// </summary>
public sealed class SmramServer : IDisposable
{
    private const int LongestRequest = 64;

    private readonly Socket _listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private readonly string _path;
    private readonly Func<IEnumerable<Vcpu>> _vcpus;

    /// <summary>Makes the socket, for its owner alone, and begins to answer.</summary>
    /// <param name="path">The socket's file, which must not exist yet.</param>
    /// <param name="vcpus">Gives the machine's processors.</param>
    /// <exception cref="SmramException">It cannot be made.</exception>
    public SmramServer(string path, Func<IEnumerable<Vcpu>> vcpus)
    {
        _path = path;
        _vcpus = vcpus;
        string unready = path + "~";
        try
        {
            // Whoever sees the file finds somebody who answers: it gets its name when all is ready.
            _listener.Bind(new UnixDomainSocketEndPoint(unready));
            if (OperatingSystem.IsLinux())
            {
                File.SetUnixFileMode(unready, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            }

            _listener.Listen();
            File.Move(unready, path, overwrite: false);
        }
        catch (Exception e) when (e is SocketException or IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            _listener.Dispose();
            File.Delete(unready);
            throw new SmramException($"{path}: the socket cannot be made: {e.Message}", e);
        }

        new Thread(Serve) { IsBackground = true, Name = "SMRAM inspector" }.Start();
    }

    public void Dispose()
    {
        _listener.Dispose();
        File.Delete(_path);
    }

    private void Serve()
    {
        while (true)
        {
            try
            {
                using Socket client = _listener.Accept();
                client.ReceiveTimeout = client.SendTimeout = 5000;
                Answer(client);
            }
            catch (ObjectDisposedException)
            {
                return;
            }
            catch (SocketException e) when (e.SocketErrorCode is SocketError.OperationAborted or SocketError.Interrupted or SocketError.InvalidArgument)
            {
                return;
            }
            catch (SocketException)
            {
                // A client that went away.
            }
        }
    }

    private void Answer(Socket client)
    {
        var request = new byte[LongestRequest];
        int length = 0;
        while (length < LongestRequest && Array.IndexOf(request, (byte)'\n', 0, length) < 0)
        {
            int got = client.Receive(request, length, LongestRequest - length, SocketFlags.None);
            if (got == 0)
            {
                break;
            }

            length += got;
        }

        string line = Encoding.ASCII.GetString(request, 0, length).TrimEnd('\n');
        Span<byte> image = new byte[SmramImage.Size];
        string answer = Look(line, image, out bool ok);
        client.Send(Encoding.UTF8.GetBytes(answer + "\n"));
        if (ok)
        {
            client.Send(image);
        }
    }

    private string Look(string request, Span<byte> image, out bool ok)
    {
        ok = false;
        Vcpu[] vcpus = [.. _vcpus()];
        if (!request.StartsWith("smram ", StringComparison.Ordinal) || !uint.TryParse(request.AsSpan(6), NumberStyles.None, CultureInfo.InvariantCulture, out uint id))
        {
            return $"error no request '{request}'";
        }

        if (Array.Find(vcpus, v => v.Id == id) is not { } vcpu)
        {
            return $"error there is no processor {id}; there are {vcpus.Length}";
        }

        try
        {
            SmmView view = vcpu.ViewSmm(image);
            ok = view.HasImage;
            return ok ? string.Create(CultureInfo.InvariantCulture, $"ok {(view.InSmm ? 1 : 0)} {view.Smbase:x} {view.Count}") : $"error no memory at {view.Smbase + SmramImage.Start:x}h in address space 1";
        }
        catch (ObjectDisposedException)
        {
            return "error the machine has ended";
        }
    }
}
