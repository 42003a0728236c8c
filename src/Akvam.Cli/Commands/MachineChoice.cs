using System.CommandLine;

namespace Akvam.Cli.Commands;

/// <summary>What the options of a command say about the machine.</summary>
/// <param name="Memory">MiB of memory.</param>
/// <param name="Cpus">Processors.</param>
/// <param name="Engine">What executes guest code, or null.</param>
/// <param name="Trace">A file for the events, or null.</param>
/// <param name="DumpBlocks">A folder for translated code, or null.</param>
/// <param name="Inspect">A socket for 'akvam smram --live', or null.</param>
/// <param name="Stats">Whether to say at the end what the engine did.</param>
internal sealed record MachineChoice(int Memory, int Cpus, string? Engine, string? Trace, string? DumpBlocks, string? Inspect, bool Stats)
{
    /// <summary>The options, which a command adds to its own.</summary>
    internal sealed class Options
    {
        private readonly Option<int> _memory, _cpus = MachineOptions.Cpus();
        private readonly Option<string?> _engine = MachineOptions.Engine(), _trace = MachineOptions.Trace(), _dumpBlocks = MachineOptions.DumpBlocks(), _inspect = MachineOptions.Inspect();
        private readonly Option<bool> _stats = MachineOptions.Stats();

        /// <param name="megabytes">Memory without a wish.</param>
        public Options(int megabytes) => _memory = MachineOptions.Memory(megabytes);

        public void AddTo(Command command)
        {
            foreach (Option option in (Option[])[_memory, _cpus, _engine, _trace, _dumpBlocks, _inspect, _stats])
            {
                command.Add(option);
            }
        }

        public MachineChoice Read(ParseResult parsed) => new(
            parsed.GetValue(_memory), parsed.GetValue(_cpus), parsed.GetValue(_engine), parsed.GetValue(_trace), parsed.GetValue(_dumpBlocks), parsed.GetValue(_inspect),
            parsed.GetValue(_stats));
    }
}
