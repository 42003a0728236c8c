using System.Diagnostics;
using System.Text;

namespace Akvam.Cli.Bench;

/// <summary>Runs an engine once and stamps what its guest says.</summary>
internal static class EngineRun
{
    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(10);

    /// <summary>Runs to the end.</summary>
    /// <param name="command">The program and its arguments.</param>
    /// <param name="failure">Why the run counts as failed, or null.</param>
    public static AkbRecorder Run(string[] command, out string? failure)
    {
        // Standard input stays open: a native twin waits for its end, so that its CPU time can be read.
        var start = new ProcessStartInfo(command[0], command[1..])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using Process process = Process.Start(start)!;
        bool late = false;
        using var guard = new Timer(_ =>
        {
            late = true;
            process.Kill();
        }, null, s_limit, Timeout.InfiniteTimeSpan);
        Task<string> errors = process.StandardError.ReadToEndAsync();
        AkbRecorder recorder = Record(process);
        process.WaitForExit();
        failure = recorder.IsDone && !recorder.HasTrapped ? null
            : late ? $"did not end within {s_limit.TotalMinutes} minutes"
            : recorder.Notes.FirstOrDefault(note => note.StartsWith("trap", StringComparison.Ordinal))
                ?? (errors.Result.Trim().Split('\n')[0] is { Length: > 0 } line ? line : $"ended with exit code {process.ExitCode} before the guest was done");
        return recorder;
    }

    private static AkbRecorder Record(Process process)
    {
        var recorder = new AkbRecorder();
        var line = new StringBuilder();
        byte[] buffer = new byte[4096];
        Stream output = process.StandardOutput.BaseStream;
        for (int count; (count = output.Read(buffer)) > 0;)
        {
            TimeSpan? now = ProcessClock.Read(process.Id);
            foreach (byte value in buffer.AsSpan(0, count))
            {
                if (value != (byte)'\n')
                {
                    line.Append((char)value);
                    continue;
                }

                recorder.Take(line.ToString(), now);
                line.Clear();
            }

            if (recorder.IsDone)
            {
                process.StandardInput.Close();
            }
        }

        return recorder;
    }
}
