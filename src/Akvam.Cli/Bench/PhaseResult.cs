namespace Akvam.Cli.Bench;

/// <summary>One phase of one run.</summary>
/// <param name="Phase">Its name, <c>GUEST.PHASE</c>.</param>
/// <param name="Count">Operations it did.</param>
/// <param name="Sum">Its checksum, 16 hexadecimal digits.</param>
/// <param name="Time">CPU time of the engine's process between the phase's two lines; null where it could not be told.</param>
internal sealed record PhaseResult(string Phase, long Count, string Sum, TimeSpan? Time);
