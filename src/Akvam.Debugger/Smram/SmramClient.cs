using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace Akvam.Debugger.Smram;

/// <summary>Asks a <see cref="SmramServer"/>.</summary>
public static class SmramClient
{
    private const int LongestLine = 512, PatienceMilliseconds = 10_000;

    /// <summary>The image of a running machine's processor.</summary>
    /// <param name="path">The server's socket.</param>
    /// <param name="cpu">The vCPU's id.</param>
    /// <param name="view">Where the processor stands.</param>
    /// <returns>The image's bytes.</returns>
    /// <exception cref="SmramException">Nobody answers, or the answer is that there is none.</exception>
    public static byte[] Fetch(string path, int cpu, out SmmView view)
    {
        try
        {
            using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified) { ReceiveTimeout = PatienceMilliseconds, SendTimeout = PatienceMilliseconds };
            socket.Connect(new UnixDomainSocketEndPoint(path));
            socket.Send(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"smram {cpu}\n")));
            using var stream = new NetworkStream(socket);
            string line = ReadLine(stream);
            string[] words = line.Split(' ');
            if (words is not ["ok", "0" or "1", _, _] || !ulong.TryParse(words[2], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong smbase)
                || !ulong.TryParse(words[3], NumberStyles.None, CultureInfo.InvariantCulture, out ulong count))
            {
                throw new SmramException(line.StartsWith("error ", StringComparison.Ordinal) ? $"{path}: {line[6..]}" : $"{path}: is no socket of Akvam's");
            }

            byte[] image = new byte[SmramImage.Size];
            stream.ReadExactly(image);
            view = new SmmView(words[1] == "1", smbase, count, true);
            return image;
        }
        catch (Exception e) when (e is SocketException or IOException or ArgumentException)
        {
            throw new SmramException($"{path}: no machine answers: {e.Message}", e);
        }
    }

    private static string ReadLine(NetworkStream stream)
    {
        var line = new StringBuilder();
        for (int b = stream.ReadByte(); b >= 0 && b != '\n' && line.Length < LongestLine; b = stream.ReadByte())
        {
            line.Append((char)b);
        }

        return line.ToString();
    }
}
