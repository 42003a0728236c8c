using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using Akvam.Debugger.Smram;
using Akvam.Machine;

namespace Akvam.Cli.Commands;

/// <summary>Reads the command line and runs the command.</summary>
internal static class CommandLine
{
    /// <summary>Runs and returns the exit code. Whatever goes wrong ends as one line on standard error.</summary>
    public static int Run(string[] args)
    {
        try
        {
            // Not a RootCommand, which calls itself by the name of this executable instead of the launcher's.
            var root = new Command("akvam", "Akvam: /dev/kvm in user space, with its own x86-64 processor.")
            {
                new HelpOption { Recursive = true },
                BootCommand.Create(),
                RunCommand.Create(),
                DemoCommand.Create(),
                BenchCommand.Create(),
                CheckCommand.Create(),
                SmramCommand.Create(),
            };
            ParseResult parsed = root.Parse(args);
            if (parsed.Action is ParseErrorAction || (parsed.Errors.Count > 0 && parsed.Action is not { ClearsParseErrors: true }))
            {
                return Fail(parsed.Errors[0].Message, ExitCode.Usage);
            }

            return parsed.Invoke(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null });
        }
        catch (MachineException e)
        {
            return Fail(e.Message, ExitCode.Error);
        }
        catch (SmramException e)
        {
            return Fail(e.Message, ExitCode.Error);
        }
        catch (KvmException e)
        {
            return Fail($"the virtual machine refused: {e.Message}", ExitCode.Error);
        }
        catch (OutOfMemoryException)
        {
            return Fail("the host has too little memory for this guest", ExitCode.Error);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return Fail(e.Message, ExitCode.Error);
        }
        catch (Exception e)
        {
            // Nothing that is passed in may end in a stack trace; this is a fault of ours and says where.
            string? place = e.StackTrace?.Split('\n')[0].Trim();
            return Fail($"a fault of Akvam: {e.GetType().Name}: {e.Message} ({place})", ExitCode.Error);
        }
    }

    /// <summary>Says what is wrong in one line.</summary>
    public static int Fail(string message, int code)
    {
        Console.Error.WriteLine($"akvam: {message.ReplaceLineEndings(" ")}");
        return code;
    }
}
