using System.ComponentModel;
using System.Diagnostics;
using System.Text;

namespace Akvam.Machine.Packages;

/// <summary>Runs programs of the host.</summary>
internal static class Tool
{
    /// <summary>Where a program is, or null.</summary>
    public static string? Find(string name)
    {
        foreach (string folder in (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries))
        {
            string path = Path.Combine(folder, name);
            if (File.Exists(path))
            {
                return path;
            }
        }

        return null;
    }

    /// <summary>Runs a program to its end, in English, with nothing on its standard input.</summary>
    /// <remarks>The program ends with this process, and when <paramref name="onLine"/> throws.</remarks>
    public static ToolResult Run(string program, string[] arguments, string folder, Action<string> onLine)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            WorkingDirectory = folder,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        start.Environment["LC_ALL"] = "C";
        start.Environment["DEBIAN_FRONTEND"] = "noninteractive";
        var errors = new StringBuilder();
        using var process = new Process { StartInfo = start };
        process.ErrorDataReceived += (_, e) => errors.AppendLine(e.Data);
        try
        {
            process.Start();
        }
        catch (Win32Exception e)
        {
            return new ToolResult(127, $"{program}: {e.Message}");
        }

        EventHandler onExit = (_, _) => Kill(process);
        AppDomain.CurrentDomain.ProcessExit += onExit;
        try
        {
            process.StandardInput.Close();
            process.BeginErrorReadLine();
            while (process.StandardOutput.ReadLine() is { } line)
            {
                onLine(line);
            }

            process.WaitForExit();
            return new ToolResult(process.ExitCode, errors.ToString());
        }
        catch
        {
            Kill(process);
            throw;
        }
        finally
        {
            AppDomain.CurrentDomain.ProcessExit -= onExit;
        }
    }

    private static void Kill(Process process)
    {
        try
        {
            process.Kill(entireProcessTree: true);
        }
        catch (Exception e) when (e is InvalidOperationException or Win32Exception)
        {
            // It had ended.
        }
    }
}
